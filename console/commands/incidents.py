"""`lyhord incidents`: what happened, and who has taken it."""

import getpass
from datetime import timedelta
from typing import Annotated

import typer

from console.commands.common import ConfigOption, JsonOption, opened
from console.terminal import as_plain, local, remark, say, say_json, table
from listener.duration import parse_duration
from listener.errors import ConfigError
from listener.incident import Act, Incident, State
from workers import stages
from workers.runtime import Runtime

app = typer.Typer(
    no_args_is_help=True, help="Incidents: list, show, ack, snooze, close; useful, noise, known-cause."
)


@app.command("list")
def list_incidents(
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
    config: ConfigOption = None,
    json_lines: JsonOption = False,
) -> None:
    """The newest incidents first.

    Example:  lyhord incidents list
    """
    with opened(config) as runtime:
        found, zone = runtime.ledger.incidents.recent(limit), runtime.config.zone
    if json_lines:
        for incident in found:
            say_json(as_plain(incident))
        return
    if not found:
        remark("No incident yet.")
        return
    rows = [
        (
            i.id,
            i.brand,
            i.state,
            ", ".join(i.signals),
            local(i.began_at, zone),
            str(i.peak),
            i.acknowledged_by or "nobody",
        )
        for i in found
    ]
    table(
        ("id", "brand", "state", "signals", "since", "peak", "taken by"),
        rows,
        attention=[i.state is not State.OVER for i in found],
    )


@app.command()
def show(incident: str, config: ConfigOption = None, json_lines: JsonOption = False) -> None:
    """One incident with its message and what people did.

    Example:  lyhord incidents show 3f2a
    """
    with opened(config) as runtime:
        found = _find(runtime, incident)
        acts = runtime.ledger.incidents.acts(found.id)
        if json_lines:
            say_json(
                {
                    **as_plain(found),
                    "acts": [{"at": at, "act": act, "by": by, "note": note} for at, act, by, note in acts],
                }
            )
            return
        for line in stages.render(runtime, found).lines:
            say(line)
        for at, act, by, note in acts:
            say(f"{local(at, runtime.config.zone)}  {act} by {by}{f': {note}' if note else ''}")


@app.command()
def ack(
    incident: str,
    by: Annotated[str, typer.Option(help="Your name.  [default: the account's]")] = "",
    config: ConfigOption = None,
) -> None:
    """Take an incident: everybody sees that you have it.

    Example:  lyhord incidents ack 3f2a --by Guro
    """
    _act(incident, Act.ACKNOWLEDGE, by=by, config=config)


@app.command()
def snooze(
    incident: str,
    span: Annotated[str, typer.Argument(help="For how long: 30m, 1h, 1d.")] = "1h",
    by: str = "",
    config: ConfigOption = None,
) -> None:
    """Do not edit the message for a while.

    Example:  lyhord incidents snooze 3f2a 2h
    """
    try:
        length = parse_duration(span)
    except ValueError as e:
        raise ConfigError(f"snooze: {e}") from None
    _act(incident, Act.SNOOZE, by=by, config=config, length=length)


@app.command()
def close(
    incident: str,
    note: Annotated[str, typer.Option(help="Why.")] = "",
    by: str = "",
    config: ConfigOption = None,
) -> None:
    """Declare an incident over.

    Example:  lyhord incidents close 3f2a --note "refunds are out"
    """
    _act(incident, Act.CLOSE, by=by, config=config, note=note)


@app.command()
def useful(
    incident: str,
    note: Annotated[str, typer.Option(help="Why.")] = "",
    by: Annotated[str, typer.Option(help="Your name.  [default: the account's]")] = "",
    config: ConfigOption = None,
) -> None:
    """Say that an incident was worth the alarm. The newest verdict counts; `lyhord rules` sums them up.

    Example:  lyhord incidents useful 3f2a
    """
    _act(incident, Act.USEFUL, by=by, config=config, note=note)


@app.command()
def noise(
    incident: str,
    note: Annotated[str, typer.Option(help="Why.")] = "",
    by: Annotated[str, typer.Option(help="Your name.  [default: the account's]")] = "",
    config: ConfigOption = None,
) -> None:
    """Say that an incident was not worth the alarm.

    Example:  lyhord incidents noise 3f2a --note "a song quiz"
    """
    _act(incident, Act.NOISE, by=by, config=config, note=note)


@app.command("known-cause")
def known_cause(
    incident: str,
    note: Annotated[str, typer.Option(help="Which.")] = "",
    by: Annotated[str, typer.Option(help="Your name.  [default: the account's]")] = "",
    config: ConfigOption = None,
) -> None:
    """Say that the cause was known: neither useful nor noise.

    Example:  lyhord incidents known-cause 3f2a --note "the autumn campaign"
    """
    _act(incident, Act.KNOWN_CAUSE, by=by, config=config, note=note)


def _act(
    incident: str, act: Act, *, by: str, config: ConfigOption, note: str = "", length: timedelta | None = None
) -> None:
    with opened(config) as runtime:
        found = _find(runtime, incident)
        changed = stages.act(runtime, found, act, by=by or getpass.getuser(), note=note, length=length)
        stages.notify(runtime)
    say(f"{changed.id}: {act} by {by or getpass.getuser()}.")


def _find(runtime: Runtime, start: str) -> Incident:
    """By id or its unambiguous beginning. Raises ConfigError."""
    found = [incident for incident in runtime.ledger.incidents.recent(1000) if incident.id.startswith(start)]
    if len(found) != 1:
        how_many = f"{len(found)} incidents begin so" if found else "no such incident"
        raise ConfigError(f"incident {start!r}: {how_many}; see `lyhord incidents list`")
    return found[0]
