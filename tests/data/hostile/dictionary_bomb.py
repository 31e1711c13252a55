# ruff: noqa
# mypy: ignore-errors
# expect: contained
# says: memory|CPU
def compute_reward(state, action, next_state):
    d = {}
    for a in range(1000):
        for b in range(1000):
            for c in range(1000):
                d[str(a) + str(b) + str(c)] = np.zeros(1000)
    reward = next_state["velocity"]
    return reward, {"speed": reward}
