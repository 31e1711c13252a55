# ruff: noqa
# mypy: ignore-errors
# expect: contained
# says: must depend on the state
def compute_reward(state, action, next_state):
    x = 1
    return np.ones(len(action)), {}
