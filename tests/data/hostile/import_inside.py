# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: import of 'subprocess'
def compute_reward(state, action, next_state):
    import subprocess

    subprocess.run(["id"])
    reward = next_state["velocity"]
    return reward, {"speed": reward}
