# ruff: noqa
# mypy: ignore-errors
# expect: contained
# says: two different rewards
def count(box=[0]):
    box.append(1)
    return len(box)


def compute_reward(state, action, next_state):
    x = 1
    reward = next_state["velocity"] + count()
    return reward, {}
