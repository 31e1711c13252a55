# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: plain formats
def compute_reward(state, action, next_state):
    width = 10**9
    bomb = f"{1:{width}}"
    reward = next_state["velocity"]
    return reward, {"speed": reward}
