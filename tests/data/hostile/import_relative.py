# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: import from
from . import secrets

def compute_reward(state, action, next_state):
    x = 1
    reward = next_state["velocity"]
    return reward, {"speed": reward}
