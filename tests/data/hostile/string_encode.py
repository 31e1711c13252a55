# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: 'encode'
def compute_reward(state, action, next_state):
    raw = "a".encode("utf-8")
    reward = next_state["velocity"]
    return reward, {"speed": reward}
