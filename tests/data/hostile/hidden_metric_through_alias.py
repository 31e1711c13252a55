# ruff: noqa
# mypy: ignore-errors
# expect: contained
# says: no state variable
def compute_reward(state, action, next_state):
    s = next_state
    reward = s["native_reward"]
    return reward, {}
