# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: 'tofile'
def compute_reward(state, action, next_state):
    next_state["velocity"].tofile("/tmp/owned")
    reward = next_state["velocity"]
    return reward, {"speed": reward}
