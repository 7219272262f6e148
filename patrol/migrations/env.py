"""Alembic's entry: runs on the connection that `Station.migrate` hands over, or on a bare engine in tests."""

from alembic import context

from patrol.models import Base

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
