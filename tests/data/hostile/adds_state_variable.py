# ruff: noqa
# mypy: ignore-errors
# expect: contained
# says: must not be changed
def compute_reward(state, action, next_state):
    next_state["velocity"] = next_state["position"]
    reward = next_state["velocity"]
    return reward, {"speed": reward}
