# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: called by name
def compute_reward(state, action, next_state):
    y = state["velocity"]()
    reward = next_state["velocity"]
    return reward, {"speed": reward}
