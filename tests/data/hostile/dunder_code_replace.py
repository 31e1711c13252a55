# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: cannot be assigned
def helper():
    return 1


def compute_reward(state, action, next_state):
    helper.__code__ = compute_reward.__code__
    reward = next_state["velocity"]
    return reward, {"speed": reward}
