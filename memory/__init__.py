"""The experimenter's memory: SQLModel tables, Alembic migrations, the store and named read queries.

Imports nothing of ours, knows no records: rows in, rows out. Read `tables.py`, `store.py`, `queries.py`, `search.py`.
The database is the truth; LangGraph's checkpoints (another file) are a bookmark.
"""
