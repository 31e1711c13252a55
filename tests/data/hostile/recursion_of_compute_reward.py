# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: calls itself
def compute_reward(state, action, next_state):
    return compute_reward(state, action, next_state)
