# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: 'dump'
def compute_reward(state, action, next_state):
    next_state["velocity"].dump("/tmp/owned.pkl")
    reward = next_state["velocity"]
    return reward, {"speed": reward}
