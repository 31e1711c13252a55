# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: must define compute_reward
def compute_reward(state, action, next_state):
    x = 1
    reward = next_state["velocity"]
    return reward, {"speed": reward}


def compute_reward(state, action, next_state):
    x = 2
    reward = next_state["velocity"]
    return reward, {"speed": reward}
