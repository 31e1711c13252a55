# ruff: noqa
# mypy: ignore-errors
# expect: contained
# says: must not be changed
def compute_reward(state, action, next_state):
    np.add(next_state["velocity"], 1.0, out=next_state["velocity"])
    reward = next_state["velocity"]
    return reward, {"speed": reward}
