# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: 'getattr'
def compute_reward(state, action, next_state):
    f = getattr(np, "lo" + "ad")
    reward = next_state["velocity"]
    return reward, {"speed": reward}
