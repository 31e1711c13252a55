# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: plain formats
def compute_reward(state, action, next_state):
    bomb = f"{1:>999999999}"
    reward = next_state["velocity"]
    return reward, {"speed": reward}
