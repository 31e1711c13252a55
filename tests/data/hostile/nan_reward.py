# ruff: noqa
# mypy: ignore-errors
# expect: contained
# says: NaN
def compute_reward(state, action, next_state):
    x = 1
    reward = np.log(next_state["velocity"])
    return reward, {}
