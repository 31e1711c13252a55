# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: 'os'
def compute_reward(state, action, next_state):
    key = os.environ["OPENAI_API_KEY"]
    reward = next_state["velocity"]
    return reward, {"speed": reward}
