"""`lyhord collect`: read sources once, by hand."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Annotated

import typer
from rich.progress import Progress, TaskID

from console.commands.common import ConfigOption, JsonOption, opened
from console.terminal import counted, progress, remark, say, say_json
from listener.errors import ConfigError
from listener.ports import Run, RunState, Tally
from workers import stages
from workers.progress import read_progress
from workers.runtime import Runtime

AT_ONCE = 2
REFRESH = 0.3


def collect(
    sources: Annotated[
        list[str] | None, typer.Argument(help="Ids of sources; none: all.", show_default=False)
    ] = None,
    recheck: Annotated[
        bool, typer.Option("--recheck", help="Read known pages again, for edits and deletions.")
    ] = False,
    config: ConfigOption = None,
    json_lines: JsonOption = False,
) -> None:
    """Read sources once and store what is new, then score it.

    Example:  lyhord collect trafikforum --recheck
    """
    with opened(config) as runtime:
        chosen = [
            runtime.source(source_id)
            for source_id in sources or [source.id for source in runtime.config.sources]
        ]
        if not chosen:
            raise ConfigError(
                f"{runtime.path}: has no source; add a [[sources]] table (see docs/configuration.md)"
            )
        for source in chosen:
            if source.policy is None:
                raise ConfigError(
                    f"source {source.id}: has no policy, so it may not be read; add [sources.policy]"
                )
        failed = _collect([source.id for source in chosen], runtime, recheck=recheck, json_lines=json_lines)
        stages.score_all(runtime)
    if failed:
        raise typer.Exit(1)


@dataclass(frozen=True, slots=True)
class Reading:
    """One source that is being read."""

    source: str
    run: int
    outcome: Future[Run | None]
    bar: TaskID


def _collect(ids: list[str], runtime: Runtime, *, recheck: bool, json_lines: bool) -> int:
    """Read and report; returns how many failed."""
    stop = threading.Event()
    with ThreadPoolExecutor(AT_ONCE) as pool, progress() as bars:
        readings = [_start(source, runtime, pool, bars, stop, recheck=recheck) for source in ids]
        try:
            while not all(reading.outcome.done() for reading in readings):
                stop.wait(REFRESH)
                for reading in readings:
                    words = _so_far(read_progress(runtime.ledger, reading.run))
                    bars.update(reading.bar, description=f"{reading.source}: {words}")
        except KeyboardInterrupt:
            stop.set()
            remark("Stopping; what was read so far is stored.", attention=True)
        outcomes = [(reading, reading.outcome.result()) for reading in readings]
    return sum(
        _report(reading.source, run, read_progress(runtime.ledger, reading.run), json_lines=json_lines)
        for reading, run in outcomes
    )


def _start(
    source: str,
    runtime: Runtime,
    pool: ThreadPoolExecutor,
    bars: Progress,
    stop: threading.Event,
    *,
    recheck: bool,
) -> Reading:
    run = runtime.ledger.runs.plan(source, runtime.clock(), "manual")
    if run is None:
        raise ConfigError(f"source {source}: was asked for twice in the same instant")
    outcome = pool.submit(stages.collect, runtime, run, recheck=recheck, stop=stop)
    return Reading(source, run, outcome, bars.add_task(source, total=None))


def _so_far(tally: Tally) -> str:
    return (
        f"{counted(tally.pages, 'page')}, {counted(tally.posts, 'post')}, {counted(tally.new, 'new mention')}"
    )


def _report(source_id: str, run: Run | None, tally: Tally, *, json_lines: bool) -> bool:
    """Say how one run went; true when it failed."""
    if run is None:
        words = "another run of this source is under way; try again when it has ended"
        if json_lines:
            say_json({"source": source_id, "state": "busy", "reason": words})
        else:
            say(f"{source_id}: {words}", attention=True)
        return True
    bad = run.state is not RunState.DONE
    if json_lines:
        counts = {
            key: getattr(tally, key)
            for key in (
                "pages",
                "unchanged_pages",
                "posts",
                "mentions",
                "new",
                "edited",
                "deleted",
                "invalid",
            )
        }
        say_json({"source": source_id, "state": run.state, **counts, "reason": run.reason})
        return bad
    changes = f"{tally.new} new, {tally.edited} edited, {tally.deleted} deleted"
    read = f"{counted(tally.pages, 'page')}, {counted(tally.posts, 'post')}, {counted(tally.mentions, 'mention')}"
    say(f"{source_id}: {read} ({changes})", attention=bad)
    if run.reason:
        say(f"  {run.reason}", attention=True)
    return bad
