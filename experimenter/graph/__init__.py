"""The orchestrator: a LangGraph graph whose nodes are thin adapters over the steps in `experimenter.research`.

The graph's state holds ids, counters and short strings only; the database is the truth, the checkpoint a bookmark.
Read `state.py`, `routes.py` (loop rules, pure), `nodes.py` (adapters), `build.py` (the graph, checkpoints, resume).
"""
