# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: cannot be assigned
def compute_reward(state, action, next_state):
    compute_reward.memory = 1
    reward = next_state["velocity"]
    return reward, {"speed": reward}
