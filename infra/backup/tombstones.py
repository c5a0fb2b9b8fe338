"""What was erased stays erased, also when an older backup is restored.

    python infra/backup/tombstones.py save FILE        the ledger's tombstones into FILE: run it often, keep it apart
    python infra/backup/tombstones.py replay [FILE…]   bury those of the files too, then erase all of them from the archive

A line is {"kind": "mention" or "author", "value": …, "reason": …, "buried_at": …}: ids and pseudonyms, no text and no name.
Both may be repeated, and stopped at any moment. Ledger and archive are those of --config, else of LYHORD_CONFIG.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from sqlalchemy import select

from listener import settings
from listener.config import Config
from listener.errors import ConfigError, LyhordError
from listener.ledger.engine import Database, chunks
from listener.ledger.schema import tombstones
from listener.ledger.upgrade import upgrade
from listener.stores import open_stores

AT_ONCE = 1_000
KINDS = ("mention", "author")


def main() -> int:
    """Exit 0 fine, 1 try again, 2 something must be changed."""
    given = _arguments()
    try:
        config = settings.load(settings.config_path(given.config))
        if given.act == "save":
            print(f"saved {save(config, given.files[0])} tombstones in {given.files[0]}")
        else:
            buried, erased = replay(config, given.files)
            print(f"replayed {buried} tombstones; {erased} mentions were there again and are erased")
    except LyhordError as e:
        print(f"tombstones: {e}", file=sys.stderr)
        return 2 if e.permanent else 1
    return 0


def save(config: Config, file: Path) -> int:
    """Write all of the ledger's tombstones, replacing the file when it is whole. Returns how many. Raises StoreError."""
    unfinished, count = file.with_name(f"{file.name}.partial"), 0
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        for row in _of_ledger(config):
            out.write(json.dumps({**row, "buried_at": row["buried_at"].isoformat()}) + "\n")
            count += 1
        out.flush()
        os.fsync(out.fileno())
    unfinished.replace(file)
    return count


def replay(config: Config, files: Iterable[Path]) -> tuple[int, int]:
    """Bury first, then erase: a crash between them lets nothing come back. Returns (tombstones, mentions that were erased).
    Raises StoreError, ConfigError for a file that is none of ours."""
    ledger, archive = open_stores(config)
    try:
        for file in files:
            for (kind, reason, at), rows in groupby(
                _of_file(file), itemgetter("kind", "reason", "buried_at")
            ):
                values = [row["value"] for row in rows]
                if kind == "author":
                    ledger.tombstones.bury(authors=values, reason=reason, now=at)
                else:
                    ledger.tombstones.bury(ids=values, reason=reason, now=at)
        buried = list(_of_ledger(config))
        erased = 0
        for part in chunks([row["value"] for row in buried if row["kind"] == "mention"], AT_ONCE):
            erased += archive.erase(part)
        for author in (row["value"] for row in buried if row["kind"] == "author"):
            erased += archive.erase_author(author)
        return len(buried), erased
    finally:
        archive.close()
        ledger.close()


def _of_ledger(config: Config) -> Iterator[dict[str, Any]]:
    """Oldest first. Read from the table itself: the port tells only of those that one asks for."""
    database = Database(settings.ledger_url(config))
    try:
        upgrade(database)
        with database.read() as sql:
            together = (tombstones.c.buried_at, tombstones.c.kind, tombstones.c.reason)
            for row in sql.execute(select(tombstones).order_by(*together)).mappings():
                yield {str(name): value for name, value in row.items()}
    finally:
        database.close()


def _of_file(file: Path) -> Iterator[dict[str, Any]]:
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                yield _read(line)
            except (ValueError, KeyError, TypeError):
                want = "a tombstone as `tombstones.py save` writes it"
                raise ConfigError(f"{file}, line {number}: cannot be read; want {want}") from None


def _read(line: str) -> dict[str, Any]:
    """Raises ValueError, KeyError, TypeError."""
    row = json.loads(line)
    at = datetime.fromisoformat(row["buried_at"])
    if row["kind"] not in KINDS or not row["value"] or at.tzinfo is None:
        raise ValueError
    return {**row, "buried_at": at}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--config", type=Path)
    parser.add_argument("act", choices=("save", "replay"))
    parser.add_argument("files", type=Path, nargs="*")
    given = parser.parse_args()
    if given.act == "save" and len(given.files) != 1:
        parser.error("save: want one FILE")
    return given


if __name__ == "__main__":
    sys.exit(main())
