# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: nonlocal is not allowed
def outer():
    count = 0

    def inner():
        nonlocal count
        count = count + 1
        return count

    return inner


def compute_reward(state, action, next_state):
    x = 1
    reward = next_state["velocity"]
    return reward, {"speed": reward}
