# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: '__reduce_ex__'
def compute_reward(state, action, next_state):
    plan = next_state["velocity"].__reduce_ex__(2)
    reward = next_state["velocity"]
    return reward, {"speed": reward}
