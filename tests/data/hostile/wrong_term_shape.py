# ruff: noqa
# mypy: ignore-errors
# expect: contained
# says: term 'all'
def compute_reward(state, action, next_state):
    x = 1
    return next_state["velocity"], {"all": next_state["joints"]}
