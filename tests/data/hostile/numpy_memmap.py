# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: np.memmap
def compute_reward(state, action, next_state):
    x = np.memmap("/tmp/owned", mode="w+", shape=(1000000,))
    reward = next_state["velocity"]
    return reward, {"speed": reward}
