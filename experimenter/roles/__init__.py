"""The experimenter's typed roles: facts and records in, a record out, each by one model call and a named rule beneath it.

A role opens no database, starts no training and keeps nothing between calls. An answer that stays invalid, or a model that is
not there, is logged and the step falls back to the rule, whose name stands in the record's `source`.
Read in this order: `common.py`, `ability.py`, `words.py`, then a run's order: `goal.py`, `proposer.py`, `decomposer.py`,
`reward_writer.py` (with `signs.py` and `small_writer.py`), `judge.py`, `reflector.py`. On web pages:
`web_page.py`, `web_planner.py`, `web_agent.py`, `web_outcome.py`.
"""
