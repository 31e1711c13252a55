# ruff: noqa
# mypy: ignore-errors
def compute_reward(state, action, next_state):
    n = next_state["velocity"].shape[0]
    alive = np.full(n, 0.1)
    reward = np.zeros(n, dtype=np.float64)
    reward += alive
    reward[next_state["landed"] > 0.5] += 10.0
    reward -= np.maximum(np.abs(next_state["angle"]) - 0.2, 0.0)
    return reward, {"alive": alive}
