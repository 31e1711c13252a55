# ruff: noqa
# mypy: ignore-errors
# expect: contained
# says: too many
def compute_reward(state, action, next_state):
    terms = {}
    for i in range(1000):
        terms[f"t{i}"] = next_state["velocity"]
    return next_state["velocity"], terms
