"""`lyhord sources`: what is listened to, how it is, and when it is read next."""

from dataclasses import replace
from itertools import islice
from typing import Annotated

import typer

from console.commands.collect import collect
from console.commands.common import ConfigOption, JsonOption, opened
from console.terminal import as_plain, local, say, say_json, table
from listener import schedule
from listener.duration import duration_text
from workers import stages

app = typer.Typer(no_args_is_help=True, help="Sources: list, health, pause, resume, run.")
CALM = frozenset({"ok", "paused", "new"})


@app.command("list")
def list_sources(config: ConfigOption = None, json_lines: JsonOption = False) -> None:
    """What is listened to, its schedule and its next three runs.

    Example:  lyhord sources list
    """
    with opened(config) as runtime:
        rows = []
        for source in runtime.config.sources:
            coming = (
                schedule.slots(source, zone=runtime.config.zone, after=runtime.clock())
                if schedule.scheduled(source)
                else iter(())
            )
            following = list(islice(coming, 3))
            if json_lines:
                say_json(
                    {
                        **as_plain(replace(source, policy=None)),
                        "policy": as_plain(source.policy),
                        "next": following,
                    }
                )
            plan = source.cron or (f"every {duration_text(source.every)}" if source.every else "by hand")
            times = ", ".join(local(slot, runtime.config.zone)[5:] for slot in following)
            rows.append(
                (
                    source.id,
                    source.kind,
                    source.channel,
                    plan if source.policy else "not scheduled: no policy",
                    times or "–",
                    source.address,
                )
            )
    if not json_lines:
        table(("id", "kind", "channel", "schedule", "next runs", "address"), rows)


@app.command()
def health(config: ConfigOption = None, json_lines: JsonOption = False) -> None:
    """How each source is, with the reason in words. Exit code 1 when one needs attention.

    Example:  lyhord sources health --json
    """
    with opened(config) as runtime:
        found = stages.source_healths(runtime)
        states = {item.source: runtime.ledger.runs.state(item.source) for item in found}
        zone = runtime.config.zone
    if json_lines:
        for item in found:
            say_json({**as_plain(item), "last_ok_at": states[item.source].last_ok_at})
    else:
        rows = [
            (item.source, item.condition, local(states[item.source].last_ok_at, zone), item.reason)
            for item in found
        ]
        table(
            ("id", "state", "last heard", "reason"),
            rows,
            attention=[item.condition not in CALM for item in found],
        )
    if any(item.condition not in CALM for item in found):
        raise typer.Exit(1)


@app.command()
def pause(
    source: str,
    why: Annotated[str, typer.Option(help="Shown to everybody who wonders.")] = "",
    config: ConfigOption = None,
) -> None:
    """Do not read a source until it is resumed.

    Example:  lyhord sources pause trafikforum --why "maintenance until Monday"
    """
    with opened(config) as runtime:
        runtime.ledger.runs.pause(runtime.source(source).id, why=why, now=runtime.clock())
    say(f"{source}: paused. Resume with `lyhord sources resume {source}`.")


@app.command()
def resume(source: str, config: ConfigOption = None) -> None:
    """Read a paused (or backing off) source again from now on.

    Example:  lyhord sources resume trafikforum
    """
    with opened(config) as runtime:
        runtime.ledger.runs.resume(runtime.source(source).id)
    say(f"{source}: resumed.")


@app.command()
def run(source: str, config: ConfigOption = None, json_lines: JsonOption = False) -> None:
    """Read one source now, whatever its schedule says.

    Example:  lyhord sources run trafikforum
    """
    collect([source], config=config, json_lines=json_lines)
