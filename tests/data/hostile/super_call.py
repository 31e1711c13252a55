# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: 'super'
def compute_reward(state, action, next_state):
    s = super()
    reward = next_state["velocity"]
    return reward, {"speed": reward}
