# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: '__defaults__'
def helper(x=1):
    return x


def compute_reward(state, action, next_state):
    leak = helper.__defaults__
    reward = next_state["velocity"]
    return reward, {"speed": reward}
