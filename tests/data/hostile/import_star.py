# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: import from 'builtins'
from builtins import *


def compute_reward(state, action, next_state):
    open("/etc/passwd")
    reward = next_state["velocity"]
    return reward, {"speed": reward}
