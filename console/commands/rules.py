"""`lyhord rules`: what each rule tells, what people said of it, and the budget that would suit."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from alerts.feedback import MONTH, Feedback, assess
from console.commands.common import ConfigOption, JsonOption, opened
from console.terminal import as_plain, remark, say, say_json, table
from listener.config import Rule
from listener.incident import Incident
from workers.runtime import Runtime

SPAN = timedelta(days=180)
"""Older verdicts are on another time."""
MOST_INCIDENTS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A rule, its alarms told in the last 30 days, and what people said of those of SPAN."""

    rule: Rule
    alarms: int
    feedback: Feedback


def rules(config: ConfigOption = None, json_lines: JsonOption = False) -> None:
    """Each rule with its alarms, people's verdicts on them and a proposal for its budget.

    Example:  lyhord rules
    """
    with opened(config) as runtime:
        found = told(runtime)
    if json_lines:
        for each in found:
            say_json(_plain(each))
        return
    if not found:
        remark("No rule yet: add [[rules]] to the file.")
        return
    headings = (
        "rule",
        "brand",
        "budget",
        "alarms in 30 days",
        "useful/noise/known cause",
        "precision",
        "proposal",
    )
    table(
        headings, [_row(each) for each in found], attention=[bool(each.feedback.proposal) for each in found]
    )
    for each in found:
        say(f"{each.rule.id}: {each.feedback.why}.")


def told(runtime: Runtime) -> list[Told]:
    """In the file's order. Raises StoreError."""
    now = runtime.clock()
    incidents = [i for i in runtime.ledger.incidents.recent(MOST_INCIDENTS) if i.opened_at > now - SPAN]
    watched = now - _since(runtime, incidents, now)
    found = []
    for rule in runtime.config.rules:
        own = [incident for incident in incidents if incident.rule == rule.id]
        newest = [incident for incident in own if incident.opened_at > now - MONTH]
        found.append(
            Told(
                rule=rule,
                alarms=sum(bool(runtime.ledger.outbox.of(incident.id)) for incident in newest),
                feedback=assess(
                    [incident.verdict for incident in own],
                    budget=rule.false_alarms_per_30_days,
                    watched=watched,
                ),
            )
        )
    return found


def _since(runtime: Runtime, incidents: list[Incident], now: datetime) -> datetime:
    """Since when we listen, SPAN ago at most."""
    runs = runtime.ledger.runs
    firsts = [runs.state(source.id).first_run_at for source in runtime.config.sources]
    known = [moment for moment in (*firsts, *(i.opened_at for i in incidents)) if moment is not None]
    return max(now - SPAN, min(known, default=now))


def _row(each: Told) -> tuple[str, ...]:
    said = each.feedback
    precision = "–" if said.precision is None else f"{said.precision:.0%} ({said.low:.0%}–{said.high:.0%})"
    return (
        each.rule.id,
        each.rule.brand,
        f"{each.rule.false_alarms_per_30_days:g}",
        str(each.alarms),
        f"{said.useful}/{said.noise}/{said.known_cause}",
        precision,
        "–" if said.proposal is None else f"{said.proposal:g}",
    )


def _plain(each: Told) -> dict[str, Any]:
    return {
        "rule": each.rule.id,
        "brand": each.rule.brand,
        "false_alarms_per_30_days": each.rule.false_alarms_per_30_days,
        "alarms_in_30_days": each.alarms,
        **as_plain(each.feedback),
    }
