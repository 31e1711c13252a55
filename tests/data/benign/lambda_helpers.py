# ruff: noqa
# mypy: ignore-errors
sigmoid = lambda x: 1.0 / (1.0 + np.exp(-np.clip(x, -30.0, 30.0)))


def compute_reward(state, action, next_state):
    squash = lambda x: np.tanh(x / 2.0)
    a = sigmoid(next_state["velocity"])
    b = squash(next_state["position"] - state["position"])
    return a + b, dict(a=a, b=b)
