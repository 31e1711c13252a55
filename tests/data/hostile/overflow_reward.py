# ruff: noqa
# mypy: ignore-errors
# expect: contained
# says: infinite
def compute_reward(state, action, next_state):
    x = 1
    reward = np.exp(1000.0 * np.abs(next_state["velocity"]))
    return reward, {}
