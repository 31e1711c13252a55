# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: calls itself
def ping(x):
    return pong(x)


def pong(x):
    return ping(x)


def compute_reward(state, action, next_state):
    y = ping(1)
    reward = next_state["velocity"]
    return reward, {"speed": reward}
