# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: '__getattribute__'
def compute_reward(state, action, next_state):
    f = np.__getattribute__("load")
    reward = next_state["velocity"]
    return reward, {"speed": reward}
