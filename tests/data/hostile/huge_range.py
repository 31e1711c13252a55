# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: too long
def compute_reward(state, action, next_state):
    for i in range(1000000000):
        pass
    reward = next_state["velocity"]
    return reward, {"speed": reward}
