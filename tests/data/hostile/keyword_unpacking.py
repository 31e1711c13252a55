# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: ** in a call
def compute_reward(state, action, next_state):
    x = dict(**{"a": 1})
    reward = next_state["velocity"]
    return reward, {"speed": reward}
