# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: import of 'numpy.ctypeslib'
import numpy.ctypeslib


def compute_reward(state, action, next_state):
    x = 1
    reward = next_state["velocity"]
    return reward, {"speed": reward}
