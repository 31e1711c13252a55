# ruff: noqa
# mypy: ignore-errors
def compute_reward(state, action, next_state):
    distance = np.linalg.norm(next_state["joints"], axis=1)
    before = np.linalg.norm(state["joints"], axis=-1)
    closer = before - distance
    near = (distance < 0.1).astype(np.float32)
    reward = closer + near - 0.001 * np.linalg.norm(action, axis=1) ** 2
    return reward, {"closer": closer, "near": near}
