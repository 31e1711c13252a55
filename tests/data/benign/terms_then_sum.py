# ruff: noqa
# mypy: ignore-errors
def compute_reward(state, action, next_state):
    weights = {"speed": 1.0, "tilt": -0.3, "effort": -0.02}
    raw = {
        "speed": np.clip(next_state["velocity"], -2.0, 2.0),
        "tilt": np.square(next_state["angle"]),
        "effort": np.square(action).sum(axis=1),
    }
    terms = {name: weights[name] * value for name, value in raw.items()}
    reward = sum(terms.values())
    return reward, terms
