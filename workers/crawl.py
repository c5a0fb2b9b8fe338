"""One crawl, in a process of its own: `python -m workers.crawl --config FILE --run N --owner NAME [--recheck]`.

Started by `workers.stages.collect` under the limits of `spiders.runner`. What it finds goes to the archive, how it went to the
ledger; its standard output says nothing. `spiders.limited` sees to it that it ends with its parent.
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from listener import exposition, settings
from listener.config import Source
from listener.errors import LyhordError, SourceError
from listener.intake import Intake, Tools
from listener.ports import Ledger, Run, Tally
from listener.pseudonym import pseudonymiser
from listener.stores import open_stores
from spiders.collector import Context
from spiders.registry import collector
from workers.clock import utc_now
from workers.progress import write_progress
from workers.scoring import open_scorer
from workers.scoring.language import identify_all

PROGRESS_SECONDS = 0.5


def main() -> None:
    arguments = _arguments()
    config, secrets = settings.load(arguments.config), settings.load_secrets()
    exposition.join(config)
    ledger, archive = open_stores(config)
    run = _run(ledger, arguments.run)
    source = next(item for item in config.sources if item.id == run.source)
    tools = Tools.of(config.brands, pseudonymiser(settings.pseudonym_key(config, secrets)), identify_all)
    intake = Intake(
        source,
        tools,
        archive,
        ledger,
        clock=utc_now,
        scorer=open_scorer(),
        listener=_progress_writer(ledger, run.id),
    )
    context = Context(
        source=source,
        frontier=ledger.frontier,
        noted=ledger.noted,
        held=lambda thread: archive.ids_of_thread(source.id, thread),
        sink=intake.take,
        now=utc_now(),
        recheck=arguments.recheck,
        secrets={
            "reddit_client_id": secrets.reddit_client_id,
            "reddit_client_secret": secrets.reddit_client_secret,
        },
    )
    tally = _collect(source, context, intake)
    write_progress(ledger, run.id, tally)
    ledger.runs.finish(run.id, owner=arguments.owner, now=utc_now(), tally=tally)
    archive.close()
    ledger.close()


def _collect(source: Source, context: Context, intake: Intake) -> Tally:
    """The collector's tally with the numbers that only the intake knows; an error that ended the run is part of it."""
    try:
        tally = collector(source.kind).collect(context)
    except LyhordError as e:
        tally = Tally(
            error=str(e),
            permanent=e.permanent,
            retry_after=e.retry_after if isinstance(e, SourceError) else None,
        )
    done = intake.tally
    return replace(
        tally,
        pages=max(tally.pages, done.pages),
        posts=done.posts,
        mentions=done.mentions,
        new=done.new,
        edited=done.edited,
        deleted=done.deleted,
        newest_post_at=tally.newest_post_at or done.newest_post_at,
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="workers.crawl", description="One crawl; started by the service, not by hand."
    )
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--run", type=int, required=True)
    parser.add_argument("--owner", required=True)
    parser.add_argument("--recheck", action="store_true")
    return parser.parse_args()


def _run(ledger: Ledger, run_id: int) -> Run:
    run = ledger.runs.get(run_id)
    if run is None:
        sys.exit(f"run {run_id}: not in the ledger")
    return run


def _progress_writer(ledger: Ledger, run_id: int) -> Callable[[Tally], None]:
    last = [0.0]

    def write(tally: Tally) -> None:
        if time.monotonic() - last[0] >= PROGRESS_SECONDS:
            last[0] = time.monotonic()
            write_progress(ledger, run_id, tally)

    return write


if __name__ == "__main__":
    main()
