# ruff: noqa
# mypy: ignore-errors
# expect: contained
# says: must not be changed
def compute_reward(state, action, next_state):
    flat = next_state["joints"].ravel()
    flat[0] = 7.0
    reward = next_state["velocity"]
    return reward, {"speed": reward}
