# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: 'gi_frame'
def compute_reward(state, action, next_state):
    g = (x for x in [1])
    frame = g.gi_frame.f_back
    reward = next_state["velocity"]
    return reward, {"speed": reward}
