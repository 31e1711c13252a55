# ruff: noqa
# mypy: ignore-errors
# expect: contained
# says: term 'bad' is infinite
def compute_reward(state, action, next_state):
    x = 1
    return next_state["velocity"], {"bad": np.full(len(action), np.inf)}
