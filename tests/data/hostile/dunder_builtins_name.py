# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: '__builtins__'
def compute_reward(state, action, next_state):
    b = __builtins__["open"]
    reward = next_state["velocity"]
    return reward, {"speed": reward}
