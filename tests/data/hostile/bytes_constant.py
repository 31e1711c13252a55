# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: bytes constants
def compute_reward(state, action, next_state):
    code = b"\x90\x90"
    reward = next_state["velocity"]
    return reward, {"speed": reward}
