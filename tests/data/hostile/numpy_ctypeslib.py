# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: np.ctypeslib
def compute_reward(state, action, next_state):
    x = np.ctypeslib.load_library("libc.so.6", "/lib")
    reward = next_state["velocity"]
    return reward, {"speed": reward}
