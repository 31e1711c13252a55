# ruff: noqa
# mypy: ignore-errors
# expect: contained
# says: another reward than in a batch
def compute_reward(state, action, next_state):
    x = 1
    v = next_state["velocity"]
    reward = np.where(v >= np.max(v), 1.0, 0.0) + 0.0 * v
    return reward, {}
