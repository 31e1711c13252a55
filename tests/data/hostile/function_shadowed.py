# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: a function and for a value
def helper(g):
    return g


def compute_reward(state, action, next_state):
    helper = state
    reward = next_state["velocity"]
    return reward, {"speed": reward}
