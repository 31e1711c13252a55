# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: no variable 'success'
def compute_reward(state, action, next_state):
    x = 1
    reward = next_state.get("success", next_state["velocity"])
    return reward, {}
