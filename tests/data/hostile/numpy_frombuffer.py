# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: np.frombuffer
def compute_reward(state, action, next_state):
    x = np.frombuffer(state, dtype="uint8")
    reward = next_state["velocity"]
    return reward, {"speed": reward}
