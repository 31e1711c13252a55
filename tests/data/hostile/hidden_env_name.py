# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: 'env'
def compute_reward(state, action, next_state):
    x = env.unwrapped
    reward = next_state["velocity"]
    return reward, {"speed": reward}
