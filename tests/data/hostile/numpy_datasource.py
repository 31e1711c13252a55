# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: np.lib
def compute_reward(state, action, next_state):
    x = np.lib.npyio.DataSource().open("http://127.0.0.1/")
    reward = next_state["velocity"]
    return reward, {"speed": reward}
