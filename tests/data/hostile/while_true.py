# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: while loops
def compute_reward(state, action, next_state):
    while True:
        pass
    reward = next_state["velocity"]
    return reward, {"speed": reward}
