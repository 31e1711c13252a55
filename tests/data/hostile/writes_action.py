# ruff: noqa
# mypy: ignore-errors
# expect: contained
# says: must not be changed
def compute_reward(state, action, next_state):
    action[:, 0] = 1.0
    reward = next_state["velocity"]
    return reward, {"speed": reward}
