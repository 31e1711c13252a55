"""Bench `rewards`: does reward design by search beat the hand-written reward, at equal env steps, on twelve tasks?

For each task one ordinary session searches (Eureka's protocol: K candidates a generation, G generations); its rows give the arms;
every arm is then retrained on fresh seeds and evaluated on worlds that nothing before has seen. It contains no search of its own
and chooses nothing by what the final training shows.

Read in this order: `tasks.py` (the tasks and their budgets), `options.py`, `search.py` (the session of a task), `arms.py` (which
reward programs its rows name), `finals.py` (retraining and fresh worlds), `scores.py` (statistics, pure), `screens.py`,
`run.py` (all of it, resumable), then `report.py` and `figure.py`.
"""

from __future__ import annotations

from experimenter.bench.rewards.options import BenchOptions, make_options
from experimenter.bench.rewards.report import table
from experimenter.bench.rewards.run import measure

__all__ = ["BenchOptions", "make_options", "measure", "table"]
