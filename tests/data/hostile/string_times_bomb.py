# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: formatted or repeated
def compute_reward(state, action, next_state):
    bomb = "a" * 10**10
    reward = next_state["velocity"]
    return reward, {"speed": reward}
