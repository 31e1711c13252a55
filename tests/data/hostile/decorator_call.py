# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: decorators
@list
def helper():
    return 1


def compute_reward(state, action, next_state):
    x = 1
    reward = next_state["velocity"]
    return reward, {"speed": reward}
