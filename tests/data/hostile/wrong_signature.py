# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: must take exactly
def compute_reward(state, action):
    return 0, {}
