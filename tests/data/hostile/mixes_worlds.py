# ruff: noqa
# mypy: ignore-errors
# expect: contained
# says: another reward than in a batch
def compute_reward(state, action, next_state):
    x = 1
    reward = next_state["velocity"] - np.mean(next_state["velocity"])
    return reward, {}
