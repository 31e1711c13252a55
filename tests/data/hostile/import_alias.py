# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: import of 'socket'
import socket as np


def compute_reward(state, action, next_state):
    np.create_connection(("127.0.0.1", 80))
    reward = next_state["velocity"]
    return reward, {"speed": reward}
