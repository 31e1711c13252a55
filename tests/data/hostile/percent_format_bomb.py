# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: formatted or repeated
def compute_reward(state, action, next_state):
    bomb = "%999999999d" % 1
    reward = next_state["velocity"]
    return reward, {"speed": reward}
