# ruff: noqa
# mypy: ignore-errors
# expect: contained
# says: must not be changed
def compute_reward(state, action, next_state):
    v = next_state["velocity"]
    v += 1.0
    reward = next_state["velocity"]
    return reward, {"speed": reward}
