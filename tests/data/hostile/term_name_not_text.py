# ruff: noqa
# mypy: ignore-errors
# expect: contained
# says: term's name
def compute_reward(state, action, next_state):
    x = 1
    return next_state["velocity"], {0: next_state["velocity"]}
