# ruff: noqa
# mypy: ignore-errors
# expect: refused
# says: must define compute_reward
x = 1
