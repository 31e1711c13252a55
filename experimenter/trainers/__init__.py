"""Trainers: how a policy is learnt on a batch of worlds.

Read `base.py` (the contract), `ppo.py` (our lean PPO), `sb3.py` (Stable-Baselines3 and sb3-contrib).
`checkpoint.py`, `settings.py`, `worlds.py`, `device.py` and `reporter.py` serve both. A trainer never sees a reward
program, a teacher or a family: only a batch of worlds that are already wrapped.
"""
