# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: 'print'
def compute_reward(state, action, next_state):
    print("x", file=state)
    reward = next_state["velocity"]
    return reward, {"speed": reward}
