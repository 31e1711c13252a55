# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: power of a power
def compute_reward(state, action, next_state):
    x = 9**9**9
    reward = next_state["velocity"]
    return reward, {"speed": reward}
