# ruff: noqa
# mypy: ignore-errors
def compute_reward(state, action, next_state):
    progress = 10.0 * (next_state["position"] - state["position"])
    upright = np.abs(next_state["angle"]) < 0.5
    landed = next_state["landed"] > 0.5
    gated = np.where(upright, progress, 0.0)
    bonus = 5.0 * (landed & upright).astype(float)
    penalty = -1.0 * np.logical_not(upright).astype(np.float64)
    total = gated + bonus + penalty
    return total, {"progress": gated, "bonus": bonus, "tilt": penalty}
