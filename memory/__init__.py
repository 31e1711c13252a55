"""The experimenter's memory: SQLModel tables, Alembic migrations, the store and named read queries.

Imports nothing of ours, knows no records: rows in, rows out. Read `tables.py`, `store.py` (with `problems.py`),
`queries.py`, `search.py`; `migrations/` ships in the package; `testing.py` starts a real PostgreSQL for tests.
The database is the truth; LangGraph's checkpoints (another file) are a bookmark.
"""
