# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: np.vectorize
def compute_reward(state, action, next_state):
    f = np.vectorize(compute_reward)
    reward = next_state["velocity"]
    return reward, {"speed": reward}
