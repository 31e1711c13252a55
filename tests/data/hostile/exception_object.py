# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: try/except
def compute_reward(state, action, next_state):
    try:
        x = state["none"]
    except Exception as error:
        frame = error.__traceback__.tb_frame
    reward = next_state["velocity"]
    return reward, {"speed": reward}
