# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: calls itself
def down(x):
    return down(x)


def compute_reward(state, action, next_state):
    y = down(1)
    reward = next_state["velocity"]
    return reward, {"speed": reward}
