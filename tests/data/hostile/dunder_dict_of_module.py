# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: '__dict__'
def compute_reward(state, action, next_state):
    os = np.__dict__["os"]
    reward = next_state["velocity"]
    return reward, {"speed": reward}
