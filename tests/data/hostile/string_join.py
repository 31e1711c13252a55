# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: 'join'
def compute_reward(state, action, next_state):
    bomb = "x".join(["a"])
    reward = next_state["velocity"]
    return reward, {"speed": reward}
