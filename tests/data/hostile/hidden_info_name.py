# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: 'info'
def compute_reward(state, action, next_state):
    x = info["outcome"]
    reward = next_state["velocity"]
    return reward, {"speed": reward}
