# ruff: noqa
# mypy: ignore-errors
def compute_reward(state, action, next_state):
    first, second, third = next_state["joints"][:, 0], next_state["joints"][:, 1], next_state["joints"][..., 2]
    torque = action[:, 0] ** 2 + action[:, 1] ** 2
    reward = first - np.abs(second) + 0.1 * np.cos(third) - 0.01 * torque
    return reward, {"first": first, "torque": -torque}
