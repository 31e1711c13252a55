# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: 'ctypes'
def compute_reward(state, action, next_state):
    pointer = next_state["velocity"].ctypes.data
    reward = next_state["velocity"]
    return reward, {"speed": reward}
