# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: 'object'
def compute_reward(state, action, next_state):
    found = object.__subclasses__()
    reward = next_state["velocity"]
    return reward, {"speed": reward}
