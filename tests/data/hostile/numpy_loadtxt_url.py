# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: np.loadtxt
def compute_reward(state, action, next_state):
    x = np.loadtxt("http://127.0.0.1:80/x")
    reward = next_state["velocity"]
    return reward, {"speed": reward}
