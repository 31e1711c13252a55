# ruff: noqa
# mypy: ignore-errors
# expect: contained
# says: memory|CPU
def compute_reward(state, action, next_state):
    items = [0]
    for item in items:
        items.append(item)
    reward = next_state["velocity"]
    return reward, {"speed": reward}
