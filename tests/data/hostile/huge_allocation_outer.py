# ruff: noqa
# mypy: ignore-errors
# expect: contained
# says: memory
def compute_reward(state, action, next_state):
    x = np.ones(300000)
    y = np.outer(x, x)
    reward = next_state["velocity"]
    return reward, {"speed": reward}
