"""How Lyhord speaks in a terminal: short lines, aligned columns, one colour for what needs attention. Results go to standard
output, progress and remarks to standard error."""

import json
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

_WIDE = 200
"""Columns of a table that is piped somewhere."""

out = Console(highlight=False, soft_wrap=True, markup=False, width=None if sys.stdout.isatty() else _WIDE)
err = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)

ATTENTION = "yellow"


def say(line: str, *, attention: bool = False) -> None:
    """One line of result."""
    out.print(line, style=ATTENTION if attention else None)


def remark(line: str, *, attention: bool = False) -> None:
    """One line beside the result."""
    err.print(line, style=ATTENTION if attention else None)


def say_json(value: object) -> None:
    """One JSON object on one line; times in ISO format."""
    out.print(json.dumps(value, ensure_ascii=False, default=_plain), soft_wrap=True)


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, attention: Sequence[bool] = ()) -> None:
    """Aligned columns; a row that needs attention is coloured."""
    grid = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    for heading in headings:
        grid.add_column(heading, overflow="fold")
    for i, row in enumerate(rows):
        grid.add_row(*row, style=ATTENTION if i < len(attention) and attention[i] else None)
    out.print(grid, soft_wrap=False)


def local(moment: datetime | None, zone: str) -> str:
    """A time as people of the zone read it; "–" for none."""
    return moment.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M") if moment else "–"


def counted(number: int, what: str) -> str:
    """`1 page`, `2,000 pages`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def progress(*, counted: bool = False) -> Progress:
    """A progress display on standard error. `counted`: with a bar, because the end is known."""
    columns: list[ProgressColumn] = [SpinnerColumn(), TextColumn("{task.description}")]
    if counted:
        columns += [BarColumn(), TaskProgressColumn()]
    return Progress(*columns, TimeElapsedColumn(), console=err, transient=True)


def as_plain(value: Any) -> Any:
    """Frozen values → what JSON holds (StrEnum and tuples are fine as they are)."""
    if hasattr(value, "__dataclass_fields__"):
        return {name: as_plain(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, dict):
        return {str(key): as_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | frozenset):
        return [as_plain(item) for item in value]
    return value
