# ruff: noqa
# mypy: ignore-errors
# expect: contained
# says: endless|very long
def compute_reward(state, action, next_state):
    n = 10**9
    total = 0.0
    for i in range(n):
        total = total + i
    reward = next_state["velocity"]
    return reward, {"speed": reward}
