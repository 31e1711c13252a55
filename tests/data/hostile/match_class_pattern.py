# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: match is not allowed
def compute_reward(state, action, next_state):
    match state:
        case {"velocity": v}:
            x = v
    reward = next_state["velocity"]
    return reward, {"speed": reward}
