# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: '__array_interface__'
def compute_reward(state, action, next_state):
    address = next_state["velocity"].__array_interface__["data"][0]
    reward = next_state["velocity"]
    return reward, {"speed": reward}
