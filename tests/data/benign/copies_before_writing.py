# ruff: noqa
# mypy: ignore-errors
def compute_reward(state, action, next_state):
    v = next_state["velocity"].copy()
    v[v < 0] = 0.0
    joints = np.array(next_state["joints"])
    joints[:, 0] *= 2.0
    reward = v - joints.sum(axis=1)
    return reward, {"forward": v}
