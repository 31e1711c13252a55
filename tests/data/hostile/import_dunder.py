# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: '__import__'
def compute_reward(state, action, next_state):
    __import__("os").system("id")
    reward = next_state["velocity"]
    return reward, {"speed": reward}
