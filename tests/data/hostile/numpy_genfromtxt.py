# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: np.genfromtxt
def compute_reward(state, action, next_state):
    x = np.genfromtxt("/etc/passwd", dtype="str")
    reward = next_state["velocity"]
    return reward, {"speed": reward}
