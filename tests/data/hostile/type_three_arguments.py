# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: 'type'
def compute_reward(state, action, next_state):
    kind = type("X", (), {})
    reward = next_state["velocity"]
    return reward, {"speed": reward}
