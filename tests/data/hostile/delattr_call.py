# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: 'delattr'
def compute_reward(state, action, next_state):
    delattr(np, "exp")
    reward = next_state["velocity"]
    return reward, {"speed": reward}
