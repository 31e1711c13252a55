# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: yield is not allowed
def compute_reward(state, action, next_state):
    yield 1
    reward = next_state["velocity"]
    return reward, {"speed": reward}
