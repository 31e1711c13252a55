# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: power above
def compute_reward(state, action, next_state):
    x = 7**100000000
    reward = next_state["velocity"]
    return reward, {"speed": reward}
