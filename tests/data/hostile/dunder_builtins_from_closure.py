# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: '__closure__'
def outer():
    hidden = 1

    def inner():
        return hidden

    return inner


def compute_reward(state, action, next_state):
    cell = outer.__closure__[0].cell_contents
    reward = next_state["velocity"]
    return reward, {"speed": reward}
