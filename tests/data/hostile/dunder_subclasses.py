# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: '__class__'
def compute_reward(state, action, next_state):
    found = ().__class__.__base__.__subclasses__()
    reward = next_state["velocity"]
    return reward, {"speed": reward}
