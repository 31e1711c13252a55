# ruff: noqa
# mypy: ignore-errors
# expect: contained
# says: one number a world
def compute_reward(state, action, next_state):
    x = 1
    reward = np.asarray(np.sum(next_state["velocity"]))
    return reward, {}
