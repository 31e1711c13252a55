# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: repeated more than
def compute_reward(state, action, next_state):
    x = [0] * 1000000000
    reward = next_state["velocity"]
    return reward, {"speed": reward}
