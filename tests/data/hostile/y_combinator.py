# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: cannot be called
def compute_reward(state, action, next_state):
    f = lambda x: x
    g = [f]
    h = g[0]
    y = h(h)
    reward = next_state["velocity"]
    return reward, {"speed": reward}
