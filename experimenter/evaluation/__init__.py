"""Evaluation: what a policy is worth, which arm of an experiment won, and whether training has converged.

Read `seeds` (who may see which worlds), `rollout` (run held-out episodes), `statistics`, `race` (successive halving),
`convergence` (the statistical floor of the judge), `video`. Nothing here trains, talks to a model or writes to the database.
"""
