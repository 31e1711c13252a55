# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: calls itself
fork = lambda x: fork(x) + fork(x)


def compute_reward(state, action, next_state):
    y = fork(1)
    reward = next_state["velocity"]
    return reward, {"speed": reward}
