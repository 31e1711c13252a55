# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: taken by
def compute_reward(state, action, next_state):
    sum = 1
    reward = next_state["velocity"]
    return reward, {"speed": reward}
