"""Trainers: how a policy is learnt on a batch of worlds.

Read `base.py` (the contract), `ppo.py` (our lean PPO), `sb3.py` (Stable-Baselines3). A trainer never sees a reward
program, a teacher or a family: only a batch of worlds that are already wrapped.
"""
