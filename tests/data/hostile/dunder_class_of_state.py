# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: '__class__'
def compute_reward(state, action, next_state):
    kind = state.__class__.__mro__[1]
    reward = next_state["velocity"]
    return reward, {"speed": reward}
