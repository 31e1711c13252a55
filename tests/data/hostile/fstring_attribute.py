# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: '__class__'
def compute_reward(state, action, next_state):
    leak = f"{state.__class__}"
    reward = next_state["velocity"]
    return reward, {"speed": reward}
