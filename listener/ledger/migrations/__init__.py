"""How the ledger's tables came to be what `listener.ledger.schema` says; run by `listener.ledger.upgrade`."""
