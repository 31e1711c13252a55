# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: 'setflags'
def compute_reward(state, action, next_state):
    next_state["velocity"].setflags(write=True)
    reward = next_state["velocity"]
    return reward, {"speed": reward}
