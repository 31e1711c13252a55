# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: shift operators
def compute_reward(state, action, next_state):
    x = 1 << 10000000000
    reward = next_state["velocity"]
    return reward, {"speed": reward}
