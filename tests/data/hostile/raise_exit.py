# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: raise is not allowed
def compute_reward(state, action, next_state):
    raise SystemExit
    reward = next_state["velocity"]
    return reward, {"speed": reward}
