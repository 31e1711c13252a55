# ruff: noqa
# mypy: ignore-errors
def compute_reward(state, action, next_state):
    good = np.logical_and.reduce(
        [
            np.abs(next_state["angle"]) < 1.0,
            next_state["velocity"] > 0.0,
            np.all(np.abs(next_state["joints"]) < 0.9, axis=1),
        ]
    )
    shaped = np.minimum(next_state["velocity"], 1.0)
    reward = np.where(good, 1.0 + shaped, shaped)
    return reward, {"good": good, "shaped": shaped}
