# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: 'input'
def compute_reward(state, action, next_state):
    answer = input("password? ")
    reward = next_state["velocity"]
    return reward, {"speed": reward}
