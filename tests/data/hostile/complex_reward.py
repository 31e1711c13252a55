# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: complex constants
def compute_reward(state, action, next_state):
    x = 1
    return next_state["velocity"] * 1j, {}
