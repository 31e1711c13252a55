# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: 'vars'
def compute_reward(state, action, next_state):
    f = vars(np)["load"]
    reward = next_state["velocity"]
    return reward, {"speed": reward}
