# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: no variable 'fitness'
def compute_reward(state, action, next_state):
    x = 1
    reward = next_state["fitness"]
    return reward, {}
