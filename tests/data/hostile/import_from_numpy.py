# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: import from 'numpy'
from numpy import load


def compute_reward(state, action, next_state):
    load("/etc/passwd", allow_pickle=True)
    reward = next_state["velocity"]
    return reward, {"speed": reward}
