# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: 'open'
def compute_reward(state, action, next_state):
    text = open("/etc/passwd").read()
    reward = next_state["velocity"]
    return reward, {"speed": reward}
