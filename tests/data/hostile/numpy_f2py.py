# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: np.f2py
def compute_reward(state, action, next_state):
    np.f2py.compile("x")
    reward = next_state["velocity"]
    return reward, {"speed": reward}
