# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: 'base'
def compute_reward(state, action, next_state):
    owner = next_state["velocity"].base
    owner[:] = 0
    reward = next_state["velocity"]
    return reward, {"speed": reward}
