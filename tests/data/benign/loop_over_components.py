# ruff: noqa
# mypy: ignore-errors
def compute_reward(state, action, next_state):
    reward = np.zeros_like(next_state["velocity"])
    terms = {}
    for i in range(3):
        term = -0.1 * np.abs(next_state["joints"][:, i])
        terms[f"joint_{i}"] = term
        reward = reward + term
    for name, weight in [("velocity", 1.0), ("position", 0.1)]:
        terms[name] = weight * next_state[name]
        reward += terms[name]
    return reward, terms
