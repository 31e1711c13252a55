# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: 'memoryview'
def compute_reward(state, action, next_state):
    m = memoryview(next_state["velocity"])
    reward = next_state["velocity"]
    return reward, {"speed": reward}
