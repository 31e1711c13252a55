# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: the := operator
def compute_reward(state, action, next_state):
    x = [y := 1 for _ in [1]]
    reward = next_state["velocity"]
    return reward, {"speed": reward}
