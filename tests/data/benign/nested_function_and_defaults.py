# ruff: noqa
# mypy: ignore-errors
def compute_reward(state, action, next_state):
    def bump(x, centre=0.0, width=1.0):
        return np.exp(-(((x - centre) / width) ** 2))

    posture = bump(next_state["angle"], width=0.3)
    speed = bump(next_state["velocity"], centre=1.5)
    reward = 0.3 * posture + 0.7 * speed
    return reward, {"posture": posture, "speed": speed}
