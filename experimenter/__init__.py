"""The experimenter: a goal in plain words in, certified skills with evidence out.

Layers, lowest first: records, config, errors, registry; `llm` and `sandbox`; `trainers`, `curricula`, `rewards` and
`evaluation`, which meet in `execution/job.py`; `roles`; `journal` and `services`; `graph`, `reports`; `cli`.
A line may import only from lines below it. Read `graph/build.py` for the flow of one session.
"""

__version__ = "0.1.0"
