# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: !r
def compute_reward(state, action, next_state):
    leak = f"{state!r}"
    reward = next_state["velocity"]
    return reward, {"speed": reward}
