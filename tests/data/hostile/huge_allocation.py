# ruff: noqa
# mypy: ignore-errors
# expect: contained
# says: memory
def compute_reward(state, action, next_state):
    x = np.zeros((200000, 200000))
    reward = next_state["velocity"]
    return reward, {"speed": reward}
