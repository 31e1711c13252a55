# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: attributes cannot be assigned
def compute_reward(state, action, next_state):
    np.exp = np.log
    reward = next_state["velocity"]
    return reward, {"speed": reward}
