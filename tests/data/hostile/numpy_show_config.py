# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: np.show_config
def compute_reward(state, action, next_state):
    np.show_config()
    reward = next_state["velocity"]
    return reward, {"speed": reward}
