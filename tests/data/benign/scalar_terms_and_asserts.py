# ruff: noqa
# mypy: ignore-errors
def compute_reward(state, action, next_state):
    """Scalar terms are allowed: they are the same for every world."""
    assert action.ndim == 2, "one row a world"
    bonus = 0.5
    reward = next_state["velocity"] + bonus
    return reward, {"bonus": bonus, "zero": 0}
