# ruff: noqa
# mypy: ignore-errors
# expect: contained
# says: memory
def compute_reward(state, action, next_state):
    n = 10**9
    x = [0.0] * n
    reward = next_state["velocity"]
    return reward, {"speed": reward}
