# ruff: noqa
# mypy: ignore-errors
# expect: contained
# says: TypeError
def compute_reward(state, action, next_state):
    x = np.array([state, action], dtype="object")
    y = np.exp(x)
    reward = next_state["velocity"]
    return reward, {"speed": reward}
