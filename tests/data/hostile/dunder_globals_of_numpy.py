# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: '__globals__'
def compute_reward(state, action, next_state):
    g = np.linalg.norm.__globals__["os"]
    reward = next_state["velocity"]
    return reward, {"speed": reward}
