# ruff: noqa
# mypy: ignore-errors
USE_EFFORT = True
SCALE = 0.1 if USE_EFFORT else 0.0


def compute_reward(state, action, next_state):
    reward = next_state["velocity"] * 1.0
    terms = {"speed": reward}
    if USE_EFFORT:
        effort = -SCALE * np.abs(action).max(axis=1)
        terms["effort"] = effort
        reward = reward + effort
    return reward, terms
