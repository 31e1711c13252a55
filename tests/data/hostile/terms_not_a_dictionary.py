# ruff: noqa
# mypy: ignore-errors
# expect: contained
# says: terms must be a dictionary
def compute_reward(state, action, next_state):
    x = 1
    return next_state["velocity"], [1]
