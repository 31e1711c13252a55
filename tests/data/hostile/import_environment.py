# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: import of 'torch'
import torch


def compute_reward(state, action, next_state):
    x = torch.hub
    reward = next_state["velocity"]
    return reward, {"speed": reward}
