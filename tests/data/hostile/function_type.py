# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: 'type'
def compute_reward(state, action, next_state):
    Function = type(lambda: 0)
    f = Function(compute_reward.__code__, {})
    reward = next_state["velocity"]
    return reward, {"speed": reward}
