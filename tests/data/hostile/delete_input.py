# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: del is not allowed
def compute_reward(state, action, next_state):
    del state["velocity"]
    reward = next_state["velocity"]
    return reward, {"speed": reward}
