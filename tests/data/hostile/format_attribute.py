# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: 'format'
def compute_reward(state, action, next_state):
    leak = "{0.__class__.__init__.__globals__}".format(state)
    reward = next_state["velocity"]
    return reward, {"speed": reward}
