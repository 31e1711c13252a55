# ruff: noqa
# mypy: ignore-errors
def compute_reward(state, action, next_state):
    speed = next_state["velocity"]
    effort = np.sum(np.square(action), axis=1)
    reward = speed - 0.01 * effort
    return reward, {"speed": speed, "effort": -0.01 * effort}
