# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: must take exactly
def compute_reward(state, action, next_state, memory=[]):
    return 0, {}
