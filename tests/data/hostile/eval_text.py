# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: 'eval'
def compute_reward(state, action, next_state):
    eval("__import__('os').system('id')")
    reward = next_state["velocity"]
    return reward, {"speed": reward}
