# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: can only be used as np.
def compute_reward(state, action, next_state):
    tools = [np]
    reward = next_state["velocity"]
    return reward, {"speed": reward}
