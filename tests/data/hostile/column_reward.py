# ruff: noqa
# mypy: ignore-errors
# expect: contained
# says: shape [n, 1]
def compute_reward(state, action, next_state):
    x = 1
    reward = next_state["velocity"][:, None]
    return reward, {}
