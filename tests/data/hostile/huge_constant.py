# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: whole numbers above
def compute_reward(state, action, next_state):
    x = 999999999999999999999999999999999999999999999999999999999999
    reward = next_state["velocity"]
    return reward, {"speed": reward}
