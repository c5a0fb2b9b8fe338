"""The bottom layer: domain values, queries, privacy, ports, ledger, archive, settings, errors."""
