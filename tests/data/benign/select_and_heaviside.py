# ruff: noqa
# mypy: ignore-errors
def compute_reward(state, action, next_state):
    angle = next_state["angle"]
    band = np.select([np.abs(angle) < 0.1, np.abs(angle) < 0.5], [1.0, 0.5], default=-1.0)
    moving = np.heaviside(next_state["velocity"] - 0.5, 0.0)
    effort = np.einsum("ij,ij->i", action, action)
    reward = band * moving - 0.01 * effort
    return reward, {"band": band, "moving": moving}
