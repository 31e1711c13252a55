# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: try/except
def compute_reward(state, action, next_state):
    try:
        x = 1
    except:
        x = 2
    reward = next_state["velocity"]
    return reward, {"speed": reward}
