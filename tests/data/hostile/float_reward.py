# ruff: noqa
# mypy: ignore-errors
# expect: contained
# says: must be an array
def compute_reward(state, action, next_state):
    x = 1
    return 1.0, {}
