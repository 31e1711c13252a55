# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: import from 'os'
from os import environ


def compute_reward(state, action, next_state):
    keys = list(environ.items())
    reward = next_state["velocity"]
    return reward, {"speed": reward}
