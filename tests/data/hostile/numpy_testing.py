# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: np.testing
def compute_reward(state, action, next_state):
    np.testing.measure("import os")
    reward = next_state["velocity"]
    return reward, {"speed": reward}
