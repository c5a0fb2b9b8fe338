"""Options that commands share, and the runtime they open."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from console.terminal import say
from listener import settings
from listener.duration import parse_duration
from listener.errors import ConfigError
from workers.runtime import Runtime, open_runtime

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        help="The configuration file.  [default: $LYHORD_CONFIG or lyhord.toml]",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object per line, for scripts.")]


@contextmanager
def opened(config: Path | None) -> Iterator[Runtime]:
    """The runtime of the file; closed at the end."""
    runtime = open_runtime(settings.config_path(config), write_line=say)
    try:
        yield runtime
    finally:
        runtime.close()


def moment(text: str, now: datetime) -> datetime:
    """`24h` (before now) or an ISO time → aware UTC-comparable time. Raises ConfigError."""
    try:
        return now - parse_duration(text)
    except ValueError:
        pass
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(
            f"time {text!r}: want a span before now such as 24h or 7d, or a time such as 2026-01-12T08:30"
        ) from None
    return given if given.tzinfo else given.replace(tzinfo=now.tzinfo)
