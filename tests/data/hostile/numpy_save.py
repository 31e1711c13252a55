# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: np.save
def compute_reward(state, action, next_state):
    np.save("/tmp/owned.npy", next_state["velocity"])
    reward = next_state["velocity"]
    return reward, {"speed": reward}
