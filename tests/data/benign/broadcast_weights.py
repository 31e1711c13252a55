# ruff: noqa
# mypy: ignore-errors
W = [0.2, 0.3, 0.5]


def compute_reward(state, action, next_state):
    w = np.asarray(W)[None, :]
    weighted = (w * next_state["joints"] ** 2).sum(axis=1)
    change = np.diff(np.concatenate([state["joints"], next_state["joints"]], axis=1), axis=1)
    calm = -np.abs(change).mean(axis=1)
    reward = -weighted + 0.1 * calm
    return reward, {"posture": -weighted, "calm": 0.1 * calm}
