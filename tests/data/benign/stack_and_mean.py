# ruff: noqa
# mypy: ignore-errors
def compute_reward(state, action, next_state):
    parts = np.stack([next_state["velocity"], -np.abs(next_state["angle"]), -np.abs(next_state["position"])], axis=1)
    scaled = np.tanh(parts)
    reward = np.mean(scaled, axis=1)
    return reward, {"speed": scaled[:, 0], "tilt": scaled[:, 1], "place": scaled[:, 2]}
