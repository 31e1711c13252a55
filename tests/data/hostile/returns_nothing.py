# ruff: noqa
# mypy: ignore-errors
# expect: contained
# says: must return (reward, terms)
def compute_reward(state, action, next_state):
    x = 1
    x = 2
