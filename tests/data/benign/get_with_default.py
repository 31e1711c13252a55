# ruff: noqa
# mypy: ignore-errors
def compute_reward(state, action, next_state):
    landed = next_state.get("landed", np.zeros(len(action)))
    keys = [key for key in next_state.keys() if key in ("velocity", "position")]
    total = sum(np.abs(next_state[key]) for key in sorted(keys))
    reward = 2.0 * landed - 0.1 * total
    return reward, {"landed": 2.0 * landed, "rest": -0.1 * total}
