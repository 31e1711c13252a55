"""Alembic migrations, shipped inside the package and run by `memory.store.open_store`.

To change the schema: change `memory/tables.py`, write `versions/<next>_<what>.py` by hand with `down_revision` set to the
last revision, and add the revision below. A test compares the migrated schema with the tables and prints the difference.
"""

REVISIONS: tuple[str, ...] = ("0001", "0002")
"""Every revision that this program knows, oldest first; kept here so that opening a current database needs no Alembic."""

HEAD = REVISIONS[-1]
