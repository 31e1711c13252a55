# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: with is not allowed
def compute_reward(state, action, next_state):
    with state as s:
        x = s
    reward = next_state["velocity"]
    return reward, {"speed": reward}
