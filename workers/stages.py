"""The stages of the flow, as plain functions: each pulls its own work from ledger and archive, so it can be run twice, alone, or
again after a crash. The Celery tasks and the command line call these and nothing else."""

import hashlib
import json
import logging
import os
import secrets
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from alerts.delivery import deliver
from alerts.delivery import sweep as remove_copies
from alerts.follow import USUAL_SOURCES, Hearing
from alerts.kibana import incident_link
from alerts.lifecycle import after_act, without_quotes
from alerts.message import Links, Message, build
from alerts.watch import watch
from listener import health, metrics, schedule
from listener.config import Brand, Rule, Source
from listener.errors import StoreAway, StoreError
from listener.health import Condition, Health
from listener.incident import Act, Incident
from listener.intake import expire
from listener.mention import Mention
from listener.ports import Archive, Dimension, EntryState, Run, Scorer, SourceReading, SourceState, Where
from listener.query import Query, parse
from spiders.runner import Limits, run
from workers.progress import forget_progress, read_progress
from workers.runtime import Runtime
from workers.turns import Table
from workers.vitals import Lag

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=15)
"""Short, so that what a killed service left is taken up at once; kept alive three times in its length."""
CRAWL_LIMITS = Limits(seconds=900, cpu_seconds=600)
FIRST_READING = timedelta(hours=1)
"""How long a source's first reading holds alerts back at most: four crawls of the longest kind."""
SCORE_BATCH = 500
"""Mentions per batch. Measured on SQLite: 970 a second in batches of 50, 1180 of 200, 1340 of 500; larger ones save no more."""
SHARE_SECONDS = 5.0
"""How long one task scores or settles before it lets others at its slot."""
BLOCK = 4
"""Batches that a process takes at once where several share the work."""
UNSCORED_FOR = timedelta(minutes=10)
WAITING_MENTIONS = 100_000
"""When mentions wait longer for their score, or more of them for the archive, nothing new is collected."""
ARRIVALS_SPAN = timedelta(days=28)
ACT_TRIES = 20
RECENT_INCIDENTS = 200
RUNS_KEPT = timedelta(days=90)


def owner_name() -> str:
    """A name for leases that no other process has."""
    return f"{socket.gethostname()}:{os.getpid()}:{threading.get_ident()}:{secrets.token_hex(4)}"


# ------------------------------------------------------------------------------------------------ lag


def lag(runtime: Runtime) -> Lag:
    """How long each stage's oldest piece of work has been waiting. Cheap. Raises StoreError."""
    now, ledger = runtime.clock(), runtime.ledger
    due_runs, due_messages = ledger.runs.waiting(now, 1), ledger.outbox.due(now, 1)
    return Lag(
        unscored_seconds=_seconds(_oldest_unscored_at(runtime.archive), now),
        waiting_mentions=ledger.journal.counts().get(EntryState.WAITING, 0),
        waiting_seconds=_seconds(ledger.journal.oldest_waiting_at(), now),
        due_runs_seconds=_seconds(due_runs[0].slot if due_runs else None, now),
        outbox_seconds=_seconds(due_messages[0].next_at if due_messages else None, now),
    )


def _oldest_unscored_at(archive: Archive) -> datetime | None:
    """None also while the archive is away: what it holds can neither be scored nor asked for."""
    try:
        oldest = archive.unscored(1)
    except StoreAway:
        return None
    return oldest[0].fetched_at if oldest else None


def _seconds(since: datetime | None, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds()) if since else 0.0


def held_back(runtime: Runtime) -> str:
    """Why nothing new is collected, in words; "" when nothing keeps us from it. Logged when it changes."""
    late = lag(runtime)
    why = ""
    if late.unscored_seconds > UNSCORED_FOR.total_seconds():
        why = f"mentions have been waiting for their score for {late.unscored_seconds / 60:.0f} minutes"
    elif late.waiting_mentions > WAITING_MENTIONS:
        why = f"{late.waiting_mentions:,} mentions wait for the archive"
    was = runtime.ledger.noted("held back")
    if bool(why) != bool(was):
        runtime.ledger.note("held back", why)
        log.warning("%s", f"nothing new is collected: {why}" if why else "collecting goes on")
    return why


# ------------------------------------------------------------------------------------------------ collect


def plan_due(runtime: Runtime) -> list[int]:
    """Plan a run for every source whose slot has come. Returns the ids of the new runs: none while other stages lag too far
    behind; the slot that comes then is taken up when they have caught up."""
    now, planned = runtime.clock(), []
    if held_back(runtime):
        return []
    for source in runtime.config.sources:
        if not schedule.scheduled(source):
            continue
        runs = runtime.ledger.runs
        state = runs.state(source.id)
        if state.paused_at or (state.backoff_until and now < state.backoff_until):
            continue
        slot = schedule.due(
            source, zone=runtime.config.zone, latest_slot=runs.latest_slot(source.id), now=now
        )
        if slot is not None and (run_id := runs.plan(source.id, slot, "schedule")) is not None:
            planned.append(run_id)
    return planned


def collect(
    runtime: Runtime,
    run_id: int,
    *,
    recheck: bool = False,
    stop: threading.Event | None = None,
    put_back: bool = False,
) -> Run | None:
    """Do one planned run in a process of its own. None when somebody else does it or it is done.

    The child does the work and writes its own end to the ledger; what a killed child cannot say, we say. `put_back`: when it is
    asked to stop, the run waits again for whoever comes; else it has failed."""
    owner = owner_name()
    if stop is not None and put_back:
        stop = _PutBack(runtime, run_id, owner, stop)
    runs = runtime.ledger.runs
    claimed = runs.claim(run_id, owner=owner, now=runtime.clock(), lease=LEASE)
    if claimed is None:
        return None
    command = [
        sys.executable,
        "-m",
        "workers.crawl",
        "--config",
        str(runtime.path),
        "--run",
        str(run_id),
        "--owner",
        owner,
    ]
    if recheck:
        command.append("--recheck")
    done = threading.Event()
    keeper = threading.Thread(target=_keep_lease, args=(runtime, run_id, owner, done), daemon=True)
    keeper.start()
    try:
        left = run(command, limits=CRAWL_LIMITS, stop=stop)
    finally:
        done.set()
        keeper.join()
    if isinstance(stop, _PutBack) and left.stopped:
        stop.release()
    # True only when the child did not get so far as to write its own end.
    counted = replace(read_progress(runtime.ledger, run_id), error=left.reason or "ended without a word")
    runs.finish(run_id, owner=owner, now=runtime.clock(), tally=counted)
    return runs.get(run_id)


class _PutBack(threading.Event):
    """`stop`, but before the child hears of it the run is taken from it: what it says of its end would count as the source's
    failure."""

    def __init__(self, runtime: Runtime, run_id: int, owner: str, stop: threading.Event) -> None:
        super().__init__()
        self._runtime, self._run, self._owner, self._stop = runtime, run_id, owner, stop
        self._taken_by = ""

    def is_set(self) -> bool:
        if self._stop.is_set() and not self._taken_by:
            self._taken_by = owner_name()
            runs, now = self._runtime.ledger.runs, self._runtime.clock()
            # Nobody else may begin before the child has ended.
            grace = timedelta(seconds=CRAWL_LIMITS.grace)
            if runs.extend(self._run, owner=self._owner, until=now):
                runs.claim(self._run, owner=self._taken_by, now=now, lease=grace)
        return self._stop.is_set()

    def release(self) -> None:
        runs = self._runtime.ledger.runs
        runs.extend(self._run, owner=self._taken_by, until=self._runtime.clock())


def _keep_lease(runtime: Runtime, run_id: int, owner: str, done: threading.Event) -> None:
    while not done.wait(LEASE.total_seconds() / 3):
        runtime.ledger.runs.extend(run_id, owner=owner, until=runtime.clock() + LEASE)


# ------------------------------------------------------------------------------------------------ score


def score_pending(archive: Archive, scorer: Scorer, *, limit: int = SCORE_BATCH) -> int:
    """Score one batch of what has no score yet; returns how many were scored. A mention that was edited meanwhile keeps no
    score and comes again. Scored are the author's own words: a thread's title was mostly written by another."""
    mentions = archive.unscored(limit)
    if not mentions:
        return 0
    return _score(archive, scorer, mentions)


def rescore(archive: Archive, scorer: Scorer, say: Callable[[int], None], *, limit: int = SCORE_BATCH) -> int:
    """Score again what another model has scored; `say` is told how many after each batch. May be stopped at any time and begun
    anew."""
    total, last = 0, ""
    while mentions := archive.outdated(scorer.model, limit, after=last):
        total += _score(archive, scorer, mentions)
        last = mentions[-1].id
        say(total)
    return total


def _score(archive: Archive, scorer: Scorer, mentions: Sequence[Mention]) -> int:
    began = time.perf_counter()
    scores = scorer.score([(mention.text, mention.language) for mention in mentions])
    metrics.scored(scorer.model, len(scores), time.perf_counter() - began)
    return archive.save_scores({m.id: (m.revision, score) for m, score in zip(mentions, scores, strict=True)})


def score_all(runtime: Runtime) -> int:
    """Score until nothing is left."""
    total = 0
    while done := score_pending(runtime.archive, runtime.scorer):
        total += done
    return total


@dataclass(frozen=True, slots=True)
class Shared:
    """What a turn at a shared stage did. `more`: there was work left in our share when time was up."""

    scored: int
    more: bool


def score_share(
    runtime: Runtime,
    *,
    invite: Callable[[], object],
    seconds: float = SHARE_SECONDS,
    limit: int = SCORE_BATCH,
) -> Shared:
    """Score blocks of what has no score, oldest first, for `seconds` at most. Processes that do this at the same time take
    different blocks. `invite` is called once, when there is more than those who are at it can take."""
    table, until, total = Table(runtime.ledger, "score", runtime.clock), time.monotonic() + seconds, 0
    newcomer = table.sit()
    while ours := _block(runtime.archive, table, limit * BLOCK):
        if newcomer and len(ours) == limit * BLOCK:
            invite()
        newcomer = False
        for start in range(0, len(ours), limit):
            total += _score(runtime.archive, runtime.scorer, ours[start : start + limit])
        if time.monotonic() > until:
            return Shared(total, more=True)
    table.leave()
    return Shared(total, more=False)


def _block(archive: Archive, table: Table, size: int) -> list[Mention]:
    """The next mentions after those that others have taken; we have taken them then."""
    while True:
        oldest = archive.unscored(size * len(table.seats))
        place = {mention.id: number for number, mention in enumerate(oldest)}
        begin = max((place.get(last, -1) for last in table.taken_by_others()), default=-1) + 1
        ours = oldest[begin : begin + size]
        if not ours or table.take(ours[-1].id):
            return ours


def settle(runtime: Runtime) -> int:
    """Store for good what waited while the archive was away, for SHARE_SECONDS at most; one process at a time is enough. Returns
    how many mentions found their place."""
    table, until, total = Table(runtime.ledger, "settle", runtime.clock), time.monotonic() + SHARE_SECONDS, 0
    table.sit()
    try:
        while table.first and time.monotonic() < until and (done := runtime.archive.settle()):
            total += done
            table.sit()
    except StoreAway:
        log.debug("the archive is still away")
    finally:
        table.leave()
    return total


# ------------------------------------------------------------------------------------------------ health


def source_healths(runtime: Runtime) -> list[Health]:
    """How every source is, in the file's order."""
    now, runs = runtime.clock(), runtime.ledger.runs
    out = []
    for source in runtime.config.sources:
        state = runs.state(source.id)
        latest = next(iter(runs.latest(source.id)), None)
        out.append(
            health.judge(
                source,
                state,
                arrivals=runs.arrivals(source.id, now - ARRIVALS_SPAN),
                latest=latest,
                next_slot=_next_slot(source, runtime.config.zone, latest, now),
                now=now,
                zone=ZoneInfo(runtime.config.zone),
            )
        )
    return out


def _next_slot(source: Source, zone: str, latest: Run | None, now: datetime) -> datetime | None:
    """The first slot after the latest run's; one in the past is overdue. For a source never read: the one that it waits for."""
    if not schedule.scheduled(source):
        return None
    if latest is None:
        return schedule.due(source, zone=zone, latest_slot=None, now=now)
    return next(schedule.slots(source, zone=zone, after=latest.slot), None)


# ------------------------------------------------------------------------------------------------ detect and notify


def detect(runtime: Runtime) -> list[Incident]:
    """Judge every rule now; returns the incidents that opened or changed. While a source is read for the first time nothing is
    judged, for FIRST_READING at most: half of its past would make the other half look like a spike."""
    now = runtime.clock()
    if _reading_for_the_first_time(runtime, now):
        return []
    healths = source_healths(runtime)
    heard = {item.source: (item.heard, item.reason) for item in healths}
    changed = []
    for rule in runtime.config.rules:
        try:
            incident = _watch(runtime, rule, healths, heard, now)
        except StoreAway as e:  # what this rule would have to read is not known now; others may know enough
            log.info("rule %s: %s", rule.id, e)
            continue
        if incident:
            changed.append(incident)
    return changed


def _watch(
    runtime: Runtime,
    rule: Rule,
    healths: Sequence[Health],
    heard: Mapping[str, tuple[bool, str]],
    now: datetime,
) -> Incident | None:
    brand = next(b for b in runtime.config.brands if b.id == rule.brand)
    return watch(
        rule,
        config=runtime.config,
        brand=brand,
        archive=runtime.archive,
        incidents=runtime.ledger.incidents,
        notes=runtime.ledger,
        heard=heard,
        hearing=_hearing(runtime, brand, healths, now),
        channels=runtime.channels(rule),
        told=lambda incident: bool(runtime.ledger.outbox.of(incident)),
        now=now,
    )


def _hearing(runtime: Runtime, brand: Brand, healths: Sequence[Health], now: datetime) -> Hearing:
    """Up to when each scheduled source is heard, and how much usually comes from it. A source that is read tells of everything
    up to its last reading; one that is unheard although it is read (it fell silent) tells of nothing since."""
    until = {}
    for item in healths:
        read = runtime.ledger.runs.state(item.source).last_ok_at
        if item.condition is not Condition.UNSCHEDULED and read is not None:
            until[item.source] = read if item.heard else min(read, item.since or read)
    return Hearing(until=until, usual=_usual(runtime, brand, now))


def _usual(runtime: Runtime, brand: Brand, now: datetime) -> Mapping[str, int]:
    """Voices by source in the last weeks; while the archive is away and knows only days, as they were before."""
    key = f"usual:{brand.id}"
    noted = runtime.ledger.noted(key)
    if noted and runtime.archive.away() is not None:
        found: dict[str, int] = json.loads(noted)
        return found
    where = Where(brand=brand.id, start=now - USUAL_SOURCES, end=now)
    usual = runtime.archive.breakdown(where, Dimension.SOURCE)
    if (text := json.dumps(usual)) != noted and runtime.archive.away() is None:
        runtime.ledger.note(key, text)
    return usual


def _reading_for_the_first_time(runtime: Runtime, now: datetime) -> bool:
    runs = runtime.ledger.runs
    return any(
        _is_first_reading(runs.state(source.id), next(iter(runs.latest(source.id)), None), now)
        for source in runtime.config.sources
    )


def _is_first_reading(state: SourceState, newest: Run | None, now: datetime) -> bool:
    """A run is planned or under way, and none has ended. What began long ago is not waited for: nobody takes it up, or whoever
    does is killed each time."""
    if newest is None or state.last_ok_at is not None or state.failures:
        return False
    return now - (state.first_run_at or newest.slot) < FIRST_READING


def render(runtime: Runtime, incident: Incident) -> Message:
    """The message of an incident as Slack, the terminal and the page show it."""
    config = runtime.config
    name = next((brand.name for brand in config.brands if brand.id == incident.brand), incident.brand)
    base = config.console.url or f"http://{config.console.host}:{config.console.port}"
    links = Links(
        console=f"{base.rstrip('/')}/incidents/{incident.id}",
        kibana=incident_link(config.kibana, incident),
    )
    return build(incident, brand=name, language=config.language, zone=ZoneInfo(config.zone), links=links)


def notify(runtime: Runtime) -> int:
    """Bring every message that is due to its newest state; returns how many were posted or edited."""
    return deliver(
        runtime.ledger.outbox,
        runtime.ledger.incidents,
        runtime.notifier,
        lambda incident: render(runtime, incident),
        clock=runtime.clock,
        owner=owner_name(),
    )


# ------------------------------------------------------------------------------------------------ sweep


def waiting_runs(runtime: Runtime) -> list[int]:
    """Runs that were planned and nobody does: their message was lost, or their process killed."""
    return [run.id for run in runtime.ledger.runs.waiting(runtime.clock())]


def tidy(runtime: Runtime) -> None:
    """Delete what was kept long enough, old runs, quotes of what was erased, and copies of messages. While the archive is away,
    what would need all of it is left for later."""
    for run_id in runtime.ledger.runs.prune(runtime.clock() - RUNS_KEPT):
        forget_progress(runtime.ledger, run_id)
    if runtime.archive.away() is None:
        expire(runtime.archive, runtime.ledger.tombstones, now=runtime.clock())
        _unquote_erased(runtime)
    remove_copies(runtime.ledger.outbox, runtime.ledger.incidents, runtime.notifier)


def _unquote_erased(runtime: Runtime) -> None:
    """What was erased, or deleted where it stood, is taken out of messages too, also of incidents that are over."""
    incidents = runtime.ledger.incidents
    for was in incidents.recent(RECENT_INCIDENTS):
        quoted = {quote.mention for quote in was.evidence.quotes}
        gone = quoted - runtime.archive.held(quoted) if quoted else frozenset()
        if gone:
            channels = [delivery.channel for delivery in runtime.ledger.outbox.of(was.id)]
            incidents.save(without_quotes(was, gone), was=was, now=runtime.clock(), channels=channels)


# ------------------------------------------------------------------------------------------------ publish


def publish(runtime: Runtime) -> None:
    """Show incidents that changed, and how every source is, beside the mentions, for those who explore the archive with tools of
    its own. A file has no such tools."""
    archive = runtime.archive
    if not runtime.config.storage.archive.startswith(("http://", "https://")) or archive.away() is not None:
        return
    incidents = runtime.ledger.incidents.recent(RECENT_INCIDENTS)
    shown = {incident.id: hashlib.sha256(repr(incident).encode()).hexdigest()[:16] for incident in incidents}
    before = json.loads(runtime.ledger.noted("published") or "{}")
    try:
        archive.publish([i for i in incidents if shown[i.id] != before.get(i.id)], _readings(runtime))
    except StoreAway:
        return
    if shown != before:
        runtime.ledger.note("published", json.dumps(shown))


def _readings(runtime: Runtime) -> list[SourceReading]:
    now = runtime.clock()
    usual = runtime.archive.breakdown(Where(start=now - USUAL_SOURCES, end=now), Dimension.SOURCE)
    everything = sum(usual.values()) or 1
    return [
        SourceReading(
            source=source.id,
            kind=source.kind,
            channel=source.channel,
            at=now,
            condition=how.condition,
            heard=how.heard,
            reason=how.reason,
            usual_share=usual.get(source.id, 0) / everything,
            last_ok_at=state.last_ok_at,
            newest_post_at=state.newest_post_at,
        )
        for source, how in zip(runtime.config.sources, source_healths(runtime), strict=True)
        for state in [runtime.ledger.runs.state(source.id)]
    ]


# ------------------------------------------------------------------------------------------------ people's questions and acts


def search_query(runtime: Runtime, text: str) -> Query:
    """A query as people type it → as the archive knows it: authors become the pseudonyms of every source. Raises QueryError."""
    sources = [source.id for source in runtime.config.sources]
    return parse(text).with_authors(
        lambda name: [runtime.tools.pseudonymise(source, name) for source in sources]
    )


def act(
    runtime: Runtime,
    incident: Incident,
    deed: Act,
    *,
    by: str,
    note: str = "",
    length: timedelta | None = None,
) -> Incident:
    """What somebody does with an incident: recorded first, then applied and shown. Raises StoreError."""
    now = runtime.clock()
    incidents = runtime.ledger.incidents
    incidents.record_act(incident.id, deed, by=by, at=now, key=f"{deed}:{by}:{now.isoformat()}", note=note)
    rule = next((rule for rule in runtime.config.rules if rule.id == incident.rule), None)
    for _ in range(ACT_TRIES):
        was = incidents.get(incident.id)
        if was is None:
            break
        changed = after_act(was, deed, by=by, now=now, length=length)
        if incidents.save(changed, was=was, now=now, channels=runtime.channels(rule) if rule else ()):
            return changed
    raise StoreError(
        f"incident {incident.id}: was changed by others again and again while we tried to write {deed}; try again"
    )


def erase(runtime: Runtime, source: Source, *, author: str = "", mention: str = "") -> int:
    """Bury, then delete: in this order, so that a crash between them lets nothing come back. Returns how many there were."""
    now, tombstones = runtime.clock(), runtime.ledger.tombstones
    if mention:
        tombstones.bury(ids=[mention], reason="erased on request", now=now)
        return runtime.archive.erase([mention])
    pseudonym = runtime.tools.pseudonymise(source.id, author)
    tombstones.bury(authors=[pseudonym], reason="erased on request", now=now)
    return runtime.archive.erase_author(pseudonym)
