"""Environment families: the worlds that tasks are made of.

A family is a parameterised set of environments with a card (the only thing that a model reads), ground-truth fitness and
success, a native reward and named state for reward programs. This package trains nothing and imports nothing of ours.

Read `task.py` (what a task is), `family.py` (the contract), `catalog.py` (how a name becomes a family), `testing.py`
(the checks that every family must pass; `probing.py` has its tools), then any family's folder.
"""
