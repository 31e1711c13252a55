# ruff: noqa
# mypy: ignore-errors
# expect: contained
# says: memory
def compute_reward(state, action, next_state):
    s = "xxxxxxxxxxxxxxxx"
    for i in range(1000):
        s = s + s
    reward = next_state["velocity"]
    return reward, {"speed": reward}
