"""Alembic's entry: runs the revisions on the connection, and in the transaction, that
`listener.ledger.upgrade` holds.
"""

from alembic import context

from listener.ledger.schema import metadata
from listener.ledger.upgrade import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    transactional_ddl=True,
)
context.run_migrations()
