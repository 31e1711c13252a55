# ruff: noqa
# mypy: ignore-errors
# expect: contained
# says: ms CPU
def compute_reward(state, action, next_state):
    x = 0.0
    for a in range(1000):
        for b in range(1000):
            x = x + 1.0
    reward = next_state["velocity"]
    return reward, {"speed": reward}
