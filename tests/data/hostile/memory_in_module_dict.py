# ruff: noqa
# mypy: ignore-errors
# expect: contained
# says: two different rewards
memory = {"calls": 0}


def compute_reward(state, action, next_state):
    memory["calls"] = memory["calls"] + 1
    reward = next_state["velocity"] * memory["calls"]
    return reward, {}
