# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: classes are not allowed
class Hook:
    def __getattr__(self, name):
        return 1


def compute_reward(state, action, next_state):
    x = Hook()
    reward = next_state["velocity"]
    return reward, {"speed": reward}
