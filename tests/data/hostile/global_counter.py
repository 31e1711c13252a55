# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: global is not allowed
count = 0


def compute_reward(state, action, next_state):
    global count
    count = count + 1
    reward = next_state["velocity"]
    return reward, {"speed": reward}
