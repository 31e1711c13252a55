# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: np.load
def compute_reward(state, action, next_state):
    x = np.load("/etc/passwd", allow_pickle=True)
    reward = next_state["velocity"]
    return reward, {"speed": reward}
