# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: 'globals'
def compute_reward(state, action, next_state):
    g = globals()["__builtins__"]
    reward = next_state["velocity"]
    return reward, {"speed": reward}
