# ruff: noqa
# mypy: ignore-errors
# expect: contained
# says: np.where
def compute_reward(state, action, next_state):
    if next_state["velocity"] > 0:
        x = 1
    reward = next_state["velocity"]
    return reward, {"speed": reward}
