"""The steps of a run, one file a stage: what each node of the graph does between loading by id and journaling.

Read in the order of a run: `agenda.py` (goal, tasks, skills, the end), `admission.py`, `searching.py` (how the reward search's steps overlap),
`rewards.py` and `population.py` (a generation), `screening.py`, `racing.py`, `judging.py`, `certifying.py`, `recall.py` (reward memory);
`views.py` prepares what the judge and the reflector are shown. Every step may run twice: rows are keyed by what happened.
"""
