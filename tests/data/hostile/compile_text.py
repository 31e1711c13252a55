# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: 'compile'
def compute_reward(state, action, next_state):
    code = compile("1", "x", "eval")
    reward = next_state["velocity"]
    return reward, {"speed": reward}
