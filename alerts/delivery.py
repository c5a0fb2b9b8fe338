"""Bring every message that is due to its newest state: one message per incident and channel, edited in place.

At-least-once, duplicates suppressed (Slack has no idempotency key):

1. claim the delivery: one owner, under a lease; a claim that is left behind is one that may have posted
2. post with a key in the message's metadata
3. a definite refusal is written down: tried again later, or failed with words; after "try again in n seconds"
the channel's other messages wait as long, those of other channels do not
4. no definite answer (timeout, reset, 5xx) or an owner that was lost: the claim is kept until its lease ends,
then the channel's history is searched for the key. Found: adopted, and newer copies are deleted. Absent in
two looks, `look_again` apart: posted again

What remains: a process that is stopped between its claim and its write for longer than the lease, and a
history that shows a message later than two looks. `sweep` finds such copies and deletes them.
"""

import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from alerts.message import Message
from listener import metrics
from listener.errors import AmbiguousDelivery, NotifyError
from listener.incident import Incident
from listener.ports import Delivery, Incidents, Outbox

log = logging.getLogger(__name__)

Clock = Callable[[], datetime]
Render = Callable[[Incident], Message]

UNCLEAR = "no definite answer: the message may have been posted; its channel is searched before another try"
LOOKED_ONCE = "no definite answer, and not found in its channel at the first look; looked for once more"
DELETED = "the message was deleted by hand; it is posted anew"
_BEFORE_FIRST_TRY = timedelta(minutes=2)
_ROUNDS = 100


class MessageGone(NotifyError):
    """The message that was to be edited is no longer there."""


class Notifier(Protocol):
    """A place for messages. Raises NotifyError: permanent, with retry_after, or AmbiguousDelivery when it is
    not known whether the message was accepted."""

    def post(self, channel: str, message: Message, key: str) -> str:
        """Returns the place's own name for the message. `key` can be found again by `find`."""
        ...

    def update(self, channel: str, ts: str, message: Message) -> None:
        """Edit in place; twice is as good as once. Raises MessageGone."""
        ...

    def find(self, channel: str, key: str, oldest: datetime) -> list[str]:
        """Our messages with this key since `oldest`, oldest first."""
        ...

    def delete(self, channel: str, ts: str) -> None:
        """One that is gone already is no error."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """`lease` must be longer than reading the history and posting together may take."""

    lease: timedelta = timedelta(seconds=60)
    look_again: timedelta = timedelta(seconds=30)
    first_retry: timedelta = timedelta(seconds=5)
    longest_retry: timedelta = timedelta(minutes=5)
    retry_failed: timedelta = timedelta(hours=1)
    """What an operator must mend is tried again so often, in case it was mended."""


DEFAULT_TIMING = Timing()


def deliver(
    outbox: Outbox,
    incidents: Incidents,
    notifier: Notifier,
    render: Render,
    *,
    clock: Clock,
    owner: str,
    timing: Timing = DEFAULT_TIMING,
) -> int:
    """Show all that is due; returns how many messages were posted or edited. `owner` must be unlike that of
    any other call, also in this process. Raises StoreError; what the notifier raises is written to the
    delivery."""
    sender = _Sender(outbox, incidents, notifier, render, clock, owner, timing)
    for _ in range(_ROUNDS):
        claims = [sender.claim_and_show(row) for row in outbox.due(clock())]
        if not any(claims):
            break
    return sender.shown


def sweep(outbox: Outbox, incidents: Incidents, notifier: Notifier, *, limit: int = 20) -> int:
    """Delete copies of messages of the newest incidents; returns how many there were."""
    removed = 0
    for incident in incidents.recent(limit):
        for sent in outbox.of(incident.id):
            if sent.state != "sent" or not sent.ts:
                continue
            key = message_key(sent.incident, sent.channel)
            try:
                found = notifier.find(sent.channel, key, incident.opened_at - _BEFORE_FIRST_TRY)
            except NotifyError as e:
                log.warning("copies in %s could not be looked for: %s", sent.channel, e)
                continue
            removed += _delete(notifier, sent.channel, [ts for ts in found if ts != sent.ts])
    return removed


def message_key(incident_id: str, channel: str) -> str:
    """32 hex digits that name the one message of an incident in a channel."""
    return hashlib.sha256(f"{incident_id}\0{channel}".encode()).hexdigest()[:32]


class _Sender:
    """One call of `deliver`."""

    def __init__(
        self,
        outbox: Outbox,
        incidents: Incidents,
        notifier: Notifier,
        render: Render,
        clock: Clock,
        owner: str,
        timing: Timing,
    ) -> None:
        self._outbox, self._incidents, self._notifier, self._render = outbox, incidents, notifier, render
        self._clock, self._owner, self._timing = clock, owner, timing
        self._limited: dict[str, datetime] = {}
        self.shown = 0

    def claim_and_show(self, row: Delivery) -> bool:
        """False when it was not to be had."""
        doubtful = not row.ts and row.state in ("sending", "unsure")
        if doubtful and row.channel in self._limited:
            return False
        first_look = doubtful and row.error != LOOKED_ONCE
        lease = self._timing.look_again if first_look else self._timing.lease
        began = time.monotonic()
        claimed = self._outbox.claim(row, owner=self._owner, now=self._clock(), lease=lease)
        if claimed is None:
            return False
        until = began + (lease * 0.75).total_seconds()
        after = self._after(row, claimed, doubtful=doubtful, until=until)
        if after.shown and not row.shown:
            self._tell_latency(row, claimed)
        self._outbox.save(after, owner=self._owner)
        return True

    def _tell_latency(self, row: Delivery, claimed: Delivery) -> None:
        """From the queueing, which is the noticing (`Incidents.save`), or the first try when it was not the first. Not from the
        incident's `opened_at`: outside the rule's hours an incident is noticed and not told."""
        queued = claimed.first_try_at if row.attempts else row.next_at
        if queued is not None:
            metrics.ALERT_LATENCY.observe((self._clock() - queued).total_seconds())

    def _after(self, row: Delivery, claimed: Delivery, *, doubtful: bool, until: float) -> Delivery:
        """The delivery after this try, to be saved."""
        if row.channel in self._limited:
            return replace(
                claimed, state=row.state, next_at=self._limited[row.channel], error="the channel is limited"
            )
        incident = self._incidents.get(claimed.incident)
        if incident is None:
            return replace(claimed, state="failed", next_at=None, error="its incident is not in the ledger")
        message = self._render(incident)
        if claimed.ts:
            return self._edit(claimed, message)
        if not doubtful:
            return self._post(claimed, message)
        return self._resolve(row, claimed, incident, message, until)

    def _resolve(
        self, row: Delivery, claimed: Delivery, incident: Incident, message: Message, until: float
    ) -> Delivery:
        """Was it posted? `until` (monotonic): the latest moment to begin a post under this claim."""
        key = message_key(claimed.incident, claimed.channel)
        oldest = (claimed.first_try_at or incident.opened_at) - _BEFORE_FIRST_TRY
        try:
            found = self._notifier.find(claimed.channel, key, oldest)
        except NotifyError as e:
            return replace(self._refused(claimed, e), state="unsure")
        if found:
            metrics.MESSAGES.add("adopted")
            _delete(self._notifier, claimed.channel, found[1:])
            return self._edit(replace(claimed, ts=found[0]), message)
        if row.error != LOOKED_ONCE or time.monotonic() > until:
            return replace(
                claimed, state="sending", error=LOOKED_ONCE
            )  # keeps the lease: nobody looks before
        return self._post(claimed, message)

    def _post(self, claimed: Delivery, message: Message) -> Delivery:
        key = message_key(claimed.incident, claimed.channel)
        try:
            ts = self._notifier.post(claimed.channel, message, key)
        except AmbiguousDelivery:
            metrics.MESSAGES.add("unclear")
            return replace(claimed, state="sending", error=UNCLEAR)  # keeps the lease
        except NotifyError as e:
            return self._refused(claimed, e)
        metrics.MESSAGES.add("posted")
        return self._done(replace(claimed, ts=ts))

    def _edit(self, claimed: Delivery, message: Message) -> Delivery:
        try:
            self._notifier.update(claimed.channel, claimed.ts, message)
        except MessageGone:
            # Written down before anything is posted, so that a crash cannot post it twice.
            return replace(claimed, ts="", state="new", next_at=self._clock(), error=DELETED)
        except NotifyError as e:
            return self._refused(claimed, e)
        metrics.MESSAGES.add("edited")
        return self._done(claimed)

    def _done(self, claimed: Delivery) -> Delivery:
        self.shown += 1
        return replace(claimed, state="sent", shown=claimed.version, next_at=None, error="")

    def _refused(self, claimed: Delivery, error: NotifyError) -> Delivery:
        """Not accepted: later, or when somebody has mended it."""
        now, timing = self._clock(), self._timing
        state = "failed" if error.permanent else "sent" if claimed.ts else "new"
        limited = error.retry_after is not None
        metrics.MESSAGES.add("limited" if limited else "failed" if error.permanent else "refused")
        if error.retry_after is not None:
            next_at = now + timedelta(seconds=error.retry_after)
            self._limited[claimed.channel] = next_at
        elif error.permanent:
            next_at = now + timing.retry_failed
        else:
            doublings = min(max(claimed.attempts - 1, 0), 16)
            next_at = now + min(timing.first_retry * 2**doublings, timing.longest_retry)
        return replace(claimed, state=state, next_at=next_at, error=str(error))


def _delete(notifier: Notifier, channel: str, copies: list[str]) -> int:
    """Returns how many were deleted; the others are left to the next sweep."""
    deleted = 0
    for ts in copies:
        try:
            notifier.delete(channel, ts)
        except NotifyError as e:
            log.warning("a copy in %s could not be deleted: %s", channel, e)
            continue
        deleted += 1
    metrics.DUPLICATES_REMOVED.add(by=deleted)
    if deleted:
        log.warning("deleted %d copies of a message in %s", deleted, channel)
    return deleted
