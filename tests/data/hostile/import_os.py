# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: import of 'os'
import os


def compute_reward(state, action, next_state):
    os.system("touch /tmp/owned")
    reward = next_state["velocity"]
    return reward, {"speed": reward}
