# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: called by name
def compute_reward(state, action, next_state):
    y = (lambda: 1)()
    reward = next_state["velocity"]
    return reward, {"speed": reward}
