"""`lyhord backtest`: what a rule would have told on stored history."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from alerts.detection.detector import HOUR, LEAST_KNOWN
from alerts.follow import HISTORY
from alerts.message import Links, build
from alerts.watch import replay
from console.commands.common import ConfigOption, JsonOption, moment, opened
from console.terminal import as_plain, local, progress, say, say_json, table
from listener.config import Brand, Config, Rule
from listener.errors import ConfigError
from listener.incident import Incident, State
from listener.mention import Signal
from listener.ports import Archive, Where
from workers.runtime import Runtime

MONTH = timedelta(days=30)
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
Tell = Callable[[int, datetime], None]
"""Is told how many replays are done, and the time that the next one has come to."""
SCEPTICAL = timedelta(days=7)
"""Until every hour of the week was heard once, only much is an alarm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fired:
    """An incident as it would have been told: when its voices were most, and at the end."""

    height: Incident
    last: Incident


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """One rule's replay. `judged_from`: when there was history enough, None when there was not; `note` in words what is wanting;
    `counts`: budget → incidents; `fired`: those of the rule's own budget."""

    rule: Rule
    start: datetime
    end: datetime
    judged_from: datetime | None
    note: str
    counts: dict[float, int]
    fired: tuple[Fired, ...]

    def rate(self, budget: float) -> float:
        """Incidents in 30 days."""
        span = max(self.end - (self.judged_from or self.end), HOUR)
        return self.counts[budget] * (MONTH / span)


def backtest(
    rule: Annotated[str, typer.Argument(help="A rule's id.  [default: every rule]")] = "",
    since: Annotated[str, typer.Option(help="A span before now such as 28d, or a time.")] = "28d",
    until: Annotated[str, typer.Option(help="Likewise.  [default: now]", show_default=False)] = "",
    budgets: Annotated[
        str, typer.Option(help="False alarms per 30 days to compare; the rule's own is added.")
    ] = "0.5,1,2,4",
    config: ConfigOption = None,
    json_lines: JsonOption = False,
) -> None:
    """Replay stored history: how many incidents each budget would have brought, and those of the rule's own.

    Nothing is saved and nobody is told. Each mention counts as arrived when it was published, each source as heard.

    Example:  lyhord backtest worry --since 28d --budgets 0.5,1,2,4
    """
    tried = read_budgets(budgets)
    with opened(config) as runtime:
        chosen = _chosen(runtime.config, rule)
        now = runtime.clock()
        start, end = _span(since, until, now)
        for each in chosen:
            done = _with_progress(runtime, each, tried, start, end)
            if json_lines:
                say_json(_plain(done, runtime.config))
            else:
                _show(done, runtime.config)


def read_budgets(text: str) -> tuple[float, ...]:
    """`0.5,1` → (0.5, 1.0). Raises ConfigError."""
    wrong = ConfigError(f"--budgets: got {text!r}, want numbers above 0 such as 0.5,1,2,4")
    try:
        found = tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise wrong from None
    if not found or not all(math.isfinite(budget) and budget > 0 for budget in found):
        raise wrong
    return found


def run(
    rule: Rule,
    *,
    config: Config,
    archive: Archive,
    budgets: Sequence[float],
    start: datetime,
    end: datetime,
    tell: Tell,
) -> Replayed:
    """Replay a rule once for each budget and for its own, from when on it could judge. Raises StoreError."""
    brand = next(brand for brand in config.brands if brand.id == rule.brand)
    judged_from, note = _history(archive, brand, start, end, config.zone)
    counts, own = dict[float, int](), tuple[Fired, ...]()
    first = judged_from or end
    for budget in compared(rule, budgets) if judged_from else ():
        told = []
        tell(len(counts), first)
        tried = replace(rule, false_alarms_per_30_days=budget)
        for _, incident in replay(
            tried,
            config=config,
            brand=brand,
            archive=archive,
            start=first,
            end=end,
            tell=lambda at: tell(len(counts), at),
        ):
            told.append(incident)
        fired = by_incident(told)
        counts[budget] = len(fired)
        own = fired if budget == rule.false_alarms_per_30_days else own
    return Replayed(
        rule=rule, start=start, end=end, judged_from=judged_from, note=note, counts=counts, fired=own
    )


def compared(rule: Rule, budgets: Iterable[float]) -> list[float]:
    """The budgets and the rule's own, each once, smallest first."""
    return sorted({*budgets, rule.false_alarms_per_30_days})


def by_incident(told: Iterable[Incident]) -> tuple[Fired, ...]:
    """What was told, in order → one Fired for each incident, oldest first."""
    found: dict[str, Fired] = {}
    for incident in told:
        before = found.get(incident.id)
        height = incident if before is None or _voices(incident) > _voices(before.height) else before.height
        found[incident.id] = Fired(height=height, last=incident)
    return tuple(found.values())


def _voices(incident: Incident) -> int:
    return incident.levels[0].observed


def _history(
    archive: Archive, brand: Brand, start: datetime, end: datetime, zone: str
) -> tuple[datetime | None, str]:
    """(from when on the rule could judge, what is wanting). As a rule does, this looks no further back than HISTORY."""
    first, hours = start - HISTORY, math.ceil((end - start + HISTORY) / HOUR)
    voices = archive.counts(
        Where(brand=brand.id), [Signal.VOLUME], start=first, end=first + HOUR * hours, bucket=HOUR
    )[Signal.VOLUME]
    silent = next((i for i, count in enumerate(voices) if count), None)
    if silent is None:
        return (
            None,
            f"nothing of {brand.name} is stored before {local(end, zone)}: run `lyhord collect` first",
        )
    begins = first + HOUR * silent
    if begins + LEAST_KNOWN >= end:
        return None, (
            f"history begins {local(begins, zone)}, too near the end {local(end, zone)}: "
            f"a rule learns for {LEAST_KNOWN.days} day before it judges"
        )
    if begins + SCEPTICAL > start:
        return max(start, begins + LEAST_KNOWN), (
            f"history begins {local(begins, zone)}: its first day is not judged, "
            f"and until the end of day {SCEPTICAL.days} only much is an alarm"
        )
    return start, ""


def _chosen(config: Config, wanted: str) -> list[Rule]:
    chosen = [rule for rule in config.rules if wanted in ("", rule.id)]
    if not chosen:
        known = ", ".join(rule.id for rule in config.rules) or "none; add [[rules]] to the file"
        raise ConfigError(f"rule {wanted!r}: no such rule; known: {known}")
    return chosen


def _span(since: str, until: str, now: datetime) -> tuple[datetime, datetime]:
    """From a whole quarter of an hour, as a rule looks, to now at the latest."""
    try:
        start, end = moment(since, now), min(moment(until, now) if until else now, now)
    except OverflowError:
        raise ConfigError(f"--since {since} --until {until}: want times after 1970") from None
    if start >= end:
        raise ConfigError(
            f"--since {since}: is {start.isoformat()}, want a time before the end, {end.isoformat()}"
        )
    start = max(start, EARLIEST)
    return start.replace(minute=start.minute // 15 * 15, second=0, microsecond=0), end


def _with_progress(
    runtime: Runtime, rule: Rule, budgets: Sequence[float], start: datetime, end: datetime
) -> Replayed:
    rounds = len(compared(rule, budgets))
    with progress(counted=True) as bars:
        task = bars.add_task(rule.id, total=rounds)

        def tell(done: int, at: datetime) -> None:
            words = f"{rule.id}: budget {done + 1} of {rounds}, {local(at, runtime.config.zone)}"
            bars.update(task, description=words, completed=done + (at - start) / (end - start))

        return run(
            rule,
            config=runtime.config,
            archive=runtime.archive,
            budgets=budgets,
            start=start,
            end=end,
            tell=tell,
        )


def _show(done: Replayed, config: Config) -> None:
    rule, zone = done.rule, config.zone
    say(f"{rule.id}: {local(done.start, zone)} – {local(done.end, zone)}")
    if done.note:
        say(f"{done.note[0].upper()}{done.note[1:]}.", attention=True)
    if done.judged_from is None:
        return
    own = rule.false_alarms_per_30_days
    rows = [
        (f"{budget:g}", str(count), f"{done.rate(budget):.1f}", "the rule's own" if budget == own else "")
        for budget, count in done.counts.items()
    ]
    table(("budget", "incidents", "in 30 days", ""), rows)
    for fired in done.fired:
        lead, last = fired.height.levels[0], fired.last
        end = f"over {local(last.ended_at, zone)}" if last.state is State.OVER else "not over at the end"
        say("")
        say(f"Opened {local(last.opened_at, zone)}, {end}")
        say(
            f"Peak {last.peak}, usual {lead.expected:.1f} ({lead.signal}); signals: {', '.join(last.signals)}"
        )
        for line in _lines(fired.height, config):
            say(f"  {line}")


def _lines(incident: Incident, config: Config) -> list[str]:
    brand = next(brand for brand in config.brands if brand.id == incident.brand)
    told = build(
        incident, brand=brand.name, language=config.language, zone=ZoneInfo(config.zone), links=Links()
    )
    return told.lines


def _plain(done: Replayed, config: Config) -> dict[str, Any]:
    return {
        "rule": done.rule.id,
        "brand": done.rule.brand,
        "start": done.start,
        "end": done.end,
        "judged_from": done.judged_from,
        "note": done.note,
        "budgets": [
            {
                "false_alarms_per_30_days": budget,
                "incidents": count,
                "incidents_per_30_days": round(done.rate(budget), 2),
            }
            for budget, count in done.counts.items()
        ],
        "incidents": [_fired(fired, config) for fired in done.fired],
    }


def _fired(fired: Fired, config: Config) -> dict[str, Any]:
    last = fired.last
    return {
        "began": last.began_at,
        "opened": last.opened_at,
        "over": last.ended_at,
        "peak": last.peak,
        "usual": round(fired.height.levels[0].expected, 3),
        "signals": as_plain(last.signals),
        "lines": _lines(fired.height, config),
    }
