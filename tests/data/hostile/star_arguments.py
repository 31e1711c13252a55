# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: *args
def helper(*args):
    return args


def compute_reward(state, action, next_state):
    x = helper(1)
    reward = next_state["velocity"]
    return reward, {"speed": reward}
