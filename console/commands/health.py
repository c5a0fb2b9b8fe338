"""`lyhord health`: what a supervisor asks. It is asked often, so it imports little and reads only what the workers wrote down."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from console.terminal import remark, say, say_json
from listener import settings
from listener.config import Config
from listener.duration import duration_text
from listener.errors import ConfigError, LyhordError, StoreError
from listener.ledger import SqlLedger
from listener.ledger.engine import Database
from workers.vitals import QUEUES, Lag, QueueVital, heard, read_lag

STALE, CANNOT_LOOK = 1, 2

# As in `console.commands.common`, which imports all that works.
ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        help="The configuration file.  [default: $LYHORD_CONFIG or lyhord.toml]",
        show_default=False,
    ),
]


def health(
    config: ConfigOption = None,
    queue: Annotated[
        list[str] | None, typer.Option(help="Only this queue; may be repeated.", show_default=False)
    ] = None,
    json_line: Annotated[bool, typer.Option("--json", help="One JSON object, for scripts.")] = False,
) -> None:
    """Say whether every queue is served, and how far each stage lags. Exit code 0 fine, 1 a queue was not heard for two
    minutes, 2 cannot look.

    Example:  lyhord health --queue lyhord.alerts || restart the worker
    """
    now = datetime.now(UTC)
    try:
        queues = _known(queue or list(QUEUES))
        ledger = _ledger(settings.load(settings.config_path(config)))
        vitals, lag, held_back = heard(ledger, queues, now), read_lag(ledger), ledger.noted("held back")
    except LyhordError as e:
        remark(f"lyhord health: {e}", attention=True)
        raise typer.Exit(CANNOT_LOOK) from None
    stale = [vital for vital in vitals if vital.stale]
    if json_line:
        said = {"measured": lag[0], **asdict(lag[1])} if lag else None
        shown = [asdict(vital) for vital in vitals]
        say_json({"ok": not stale, "queues": shown, "lag": said, "held_back": held_back})
    else:
        _tell(vitals, lag, held_back, now)
    if stale:
        raise typer.Exit(STALE)


def _known(queues: list[str]) -> list[str]:
    for queue in queues:
        if queue not in QUEUES:
            raise ConfigError(f"--queue {queue!r}: no such queue; want one of {', '.join(QUEUES)}")
    return queues


def _ledger(config: Config) -> SqlLedger:
    """Opened as it is: neither made, nor migrated, nor examined, which takes its time. Raises StoreError."""
    url = settings.ledger_url(config)
    path = Path(url.removeprefix("sqlite:///"))
    if url.startswith("sqlite:///") and not path.exists():
        raise StoreError(f"ledger {path}: no such file; nothing has run here yet")
    return SqlLedger(Database(url))


def _tell(vitals: list[QueueVital], lag: tuple[datetime, Lag] | None, held_back: str, now: datetime) -> None:
    for vital in vitals:
        words = f"heard {_ago(vital.heard_at, now)}" if vital.heard_at else "never heard"
        say(f"{'FAIL' if vital.stale else 'ok  '}  {vital.queue}: {words}", attention=vital.stale)
    if vitals and all(vital.stale for vital in vitals):
        say("      is the scheduler running (celery -A workers.app beat), and can the broker be reached?")
    if lag:
        measured, late = lag
        waiting = {
            "scoring": late.unscored_seconds,
            "archive": late.waiting_seconds,
            "crawls": late.due_runs_seconds,
            "alerts": late.outbox_seconds,
        }
        told = ", ".join(f"{stage} {duration_text(timedelta(seconds=s))}" for stage, s in waiting.items())
        say(
            f"lag   {told} (measured {_ago(measured, now)}); {late.waiting_mentions:,} mentions wait for the archive"
        )
    if held_back:
        say(f"      nothing new is collected: {held_back}", attention=True)


def _ago(moment: datetime, now: datetime) -> str:
    return f"{duration_text(max(timedelta(0), now - moment))} ago"
