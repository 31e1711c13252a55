# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: 'exec'
def compute_reward(state, action, next_state):
    exec("import os")
    reward = next_state["velocity"]
    return reward, {"speed": reward}
