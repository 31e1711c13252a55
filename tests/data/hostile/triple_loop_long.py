# ruff: noqa
# mypy: ignore-errors
# expect: contained
# says: endless|very long
def compute_reward(state, action, next_state):
    x = 0
    for a in range(1000):
        for b in range(1000):
            for c in range(1000):
                x = x + 1
    reward = next_state["velocity"]
    return reward, {"speed": reward}
