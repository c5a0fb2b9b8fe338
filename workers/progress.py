"""What a crawl has counted so far: written by its process, read by whoever waits for it. Kept among the ledger's notes."""

import json
from dataclasses import asdict

from listener.ports import Ledger, Tally


def write_progress(ledger: Ledger, run_id: int, tally: Tally) -> None:
    """Only the tally's counts."""
    counts = {key: value for key, value in asdict(tally).items() if type(value) is int}
    ledger.note(_key(run_id), json.dumps(counts))


def read_progress(ledger: Ledger, run_id: int) -> Tally:
    """Zeros when nothing was written."""
    return Tally(**json.loads(ledger.noted(_key(run_id)) or "{}"))


def forget_progress(ledger: Ledger, run_id: int) -> None:
    ledger.note(_key(run_id), "")


def _key(run_id: int) -> str:
    return f"progress:{run_id}"
