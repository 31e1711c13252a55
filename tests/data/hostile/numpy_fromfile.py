# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: np.fromfile
def compute_reward(state, action, next_state):
    x = np.fromfile("/etc/passwd", dtype="uint8")
    reward = next_state["velocity"]
    return reward, {"speed": reward}
