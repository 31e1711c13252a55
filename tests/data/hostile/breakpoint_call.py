# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: 'breakpoint'
def compute_reward(state, action, next_state):
    breakpoint()
    reward = next_state["velocity"]
    return reward, {"speed": reward}
