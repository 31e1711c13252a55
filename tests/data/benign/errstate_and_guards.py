# ruff: noqa
# mypy: ignore-errors
def compute_reward(state, action, next_state):
    v = next_state["velocity"]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(np.abs(v) > 1e-6, np.sin(v) / v, 1.0)
    reward = np.nan_to_num(ratio) + np.log1p(np.abs(next_state["position"]))
    return reward, {"ratio": ratio}
