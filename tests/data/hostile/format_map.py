# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: 'format_map'
def compute_reward(state, action, next_state):
    leak = "{x.__class__}".format_map({"x": state})
    reward = next_state["velocity"]
    return reward, {"speed": reward}
