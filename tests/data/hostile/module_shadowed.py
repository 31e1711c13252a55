# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: taken by
def compute_reward(state, action, next_state):
    np = state
    reward = next_state["velocity"]
    return reward, {"speed": reward}
