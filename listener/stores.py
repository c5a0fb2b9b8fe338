"""Ledger and archive of a configuration, opened together: the archive's journal is the ledger's."""

from listener import settings
from listener.archive import open_archive
from listener.config import Config
from listener.ledger import open_ledger
from listener.ports import Archive, Ledger


def open_stores(config: Config) -> tuple[Ledger, Archive]:
    """Raises ConfigError, StoreError; for a server that is away the archive opens all the same."""
    ledger = open_ledger(settings.ledger_url(config))
    try:
        return ledger, open_archive(
            settings.archive_url(config),
            journal=ledger.journal,
            api_key=settings.load_secrets().archive_api_key,
        )
    except BaseException:
        ledger.close()
        raise
