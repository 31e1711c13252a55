"""Alembic's entry: migrates the connection that `memory.store` hands over, inside the store's own transaction."""

from alembic import context
from sqlmodel import SQLModel

import memory.tables  # noqa: F401  (registers the tables)

connection = context.config.attributes.get("connection")
if connection is None:
    raise RuntimeError("migrations run through memory.store.open_store(database), which hands over its connection")

context.configure(connection=connection, target_metadata=SQLModel.metadata, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
