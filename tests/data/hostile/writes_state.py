# ruff: noqa
# mypy: ignore-errors
# expect: contained
# says: must not be changed
def compute_reward(state, action, next_state):
    next_state["velocity"][:] = 0.0
    reward = next_state["velocity"]
    return reward, {"speed": reward}
