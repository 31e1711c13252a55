# ruff: noqa
# mypy: ignore-errors
# expect: contained
# says: infinite
def compute_reward(state, action, next_state):
    x = 1
    reward = 1.0 / np.maximum(next_state["landed"], 0.0)
    return reward, {}
