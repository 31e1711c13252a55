# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: randomness is not allowed
def compute_reward(state, action, next_state):
    noise = np.random.default_rng().normal(size=3)
    reward = next_state["velocity"]
    return reward, {"speed": reward}
