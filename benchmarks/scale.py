"""What running on many machines costs and holds: Elasticsearch, Celery with Redis, a million mentions, faults.

    python -m benchmarks.scale --parts ingest,scoring,celery --json
    python -m benchmarks.scale --parts million --mentions 1000000
    python -m benchmarks.scale --parts faults --kills 200

ingest   `Archive.add` on Elasticsearch beside the bare `helpers.streaming_bulk` of the same documents, in turns.
scoring  mentions scored a second by one worker process and by two, on Redis and Elasticsearch.
celery   CPU seconds of a worker that scores, beside those of the same stage called directly.
million  newest-50 searches, the counts of all brands over 8 weeks by hour, and one look of a rule at archives that grow by
         older mentions from 10,000 to a million, on SQLite and Elasticsearch.
faults   kill -9 of processes of a running cluster at random moments (tests/faults/cluster.py), then servers.

Real servers are started by `infra/servers` where none runs. Figures of one machine: here server and client share its cores.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import scale_faults, scale_ingest, scale_million, scale_workers

Part = Callable[[argparse.Namespace, Path], dict[str, Any]]
PARTS: dict[str, Part] = {
    "ingest": lambda asked, folder: scale_ingest.measure(asked.ingest, asked.rounds),
    "scoring": lambda asked, folder: scale_workers.scaling(asked.scored, folder),
    "celery": lambda asked, folder: scale_workers.overhead(asked.scored, folder),
    "million": lambda asked, folder: scale_million.measure(asked.mentions, folder),
    "faults": lambda asked, folder: scale_faults.measure(asked.kills, folder),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--parts", default="ingest,scoring,celery", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--ingest", type=int, default=20_000, help="mentions a round of ingest")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scored", type=int, default=20_000, help="mentions a run of scoring and celery")
    parser.add_argument("--mentions", type=int, default=1_000_000, help="of million")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    asked = parser.parse_args()
    unknown = set(asked.parts.split(",")) - PARTS.keys()
    if unknown:
        parser.error(f"--parts {', '.join(sorted(unknown))}: want some of {', '.join(PARTS)}")
    result: dict[str, Any] = {}
    for name in asked.parts.split(","):
        with tempfile.TemporaryDirectory() as folder:
            result[name] = PARTS[name](asked, Path(folder))
        for key, value in result[name].items():
            sys.stdout.write(f"{name:8} {key:60} {value}\n")
            sys.stdout.flush()
    if asked.json:
        sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
