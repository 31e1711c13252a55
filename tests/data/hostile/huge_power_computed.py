# ruff: noqa
# mypy: ignore-errors
# expect: contained
# says: CPU|memory
def compute_reward(state, action, next_state):
    n = 10**9
    x = 7**n
    reward = next_state["velocity"]
    return reward, {"speed": reward}
