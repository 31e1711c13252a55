# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: nested more than
def compute_reward(state, action, next_state):
    for a in range(1000):
        for b in range(1000):
            for c in range(1000):
                for d in range(1000):
                    x = a
    reward = next_state["velocity"]
    return reward, {"speed": reward}
