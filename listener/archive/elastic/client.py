"""The one door to the Elasticsearch server: requests, and the server's refusals in our words.

A client is made at the first request and once for each process, so that an archive may be carried across a fork. Messages
name the kind of an error and the field it is about, never a value: values are what people wrote.
"""

import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Any, TypeVar

from elasticsearch import ApiError, Elasticsearch, TransportError

from listener import metrics
from listener.archive.elastic import template
from listener.archive.elastic.names import Names
from listener.errors import StoreAway, StoreError

READ_SECONDS = 10.0
WRITE_SECONDS = 30.0
COUNT_SECONDS = 20.0
CHUNK = 1_000
"""Ids of one question."""
BULK_ACTIONS, BULK_BYTES = 1_000, 8_000_000
"""Of one request: servers and proxies refuse what is too large."""

_PAUSES = (0.1, 0.4, 1.6)
"""Seconds before each new try of what the server was too busy for."""
_BUSY = frozenset({408, 429, 500, 502, 503, 504})
_AWAY = _BUSY - {500}
_FIELD = re.compile(r"field \[([@\w.]{1,80})\]")
_BULK_ANSWER = ["items.*.status", "items.*.error.type", "items.*.error.reason"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The server's answer to one action of a bulk: an HTTP status, and what was wrong, in words."""

    status: int
    error: str = ""


T = TypeVar("T")


class TooLarge(StoreError):
    """The server, or a proxy before it, takes no request of this size."""


class ShardsAway(StoreAway):
    """Shards of an index do not answer: those of a month that is being made are away for a moment."""


class Server:
    """Requests to one archive's indices. Every method raises StoreError (StoreAway, StoreTooNew) or ConfigError."""

    def __init__(self, names: Names, *, api_key: str = "") -> None:
        self.names = names
        self._api_key = api_key
        self._lock = Lock()
        self._client: Elasticsearch | None = None
        self._pid = 0
        self._is_prepared = False
        self._is_closed = False

    def client(self) -> Elasticsearch:
        """Of this process, its templates in order."""
        with self._lock:
            if self._is_closed:
                raise StoreError(f"archive {self.names.address}: is closed; open it again", permanent=True)
            if self._client is None or self._pid != os.getpid():
                self._client, self._pid = self._connected(), os.getpid()
            if not self._is_prepared:
                template.ensure(self._client, self.names)
                self._is_prepared = True
            return self._client

    def _connected(self) -> Elasticsearch:
        return Elasticsearch(
            self.names.address,
            api_key=self._api_key or None,
            request_timeout=READ_SECONDS,
            max_retries=0,  # whoever asks knows better whether, and how soon, to ask again
            retry_on_timeout=False,
        )

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            if self._client is not None and self._pid == os.getpid():
                self._client.close()
            self._client = None

    @contextmanager
    def speaking(self) -> Iterator[Elasticsearch]:
        """The client, for requests that have no method here; what it raises is translated."""
        client = self.client()
        try:
            yield client
        except ApiError as e:
            raise self._refusal(
                e.status_code, e.body.get("error") if isinstance(e.body, dict) else None
            ) from None
        except TransportError as e:
            raise StoreAway(
                f"elasticsearch at {self.names.address} cannot be reached ({type(e).__name__})"
            ) from None

    def search(
        self, body: Mapping[str, Any], *, index: str = "", seconds: float = READ_SECONDS
    ) -> dict[str, Any]:
        """All of the answer or an error: never what only some shards found, or found in time."""

        def ask(client: Elasticsearch) -> dict[str, Any]:
            answer = client.options(request_timeout=seconds + 1).search(
                index=index or self.names.alias,
                body={"timeout": f"{int(seconds * 1_000)}ms", **body},
                ignore_unavailable=True,
                allow_partial_search_results=False,
            )
            return self._in_time(answer.body, seconds)

        return self._patiently(ask)

    def searches(self, bodies: Sequence[tuple[str, Mapping[str, Any]]]) -> list[dict[str, Any]]:
        """Several at once, (index, body) each: the answers in the same order."""
        if not bodies:
            return []
        lines: list[Mapping[str, Any]] = []
        for index, body in bodies:
            lines += [
                {"index": index, "ignore_unavailable": True, "allow_partial_search_results": False},
                {"timeout": f"{int(COUNT_SECONDS * 1_000)}ms", **body},
            ]

        def ask(client: Elasticsearch) -> list[dict[str, Any]]:
            found = client.options(request_timeout=COUNT_SECONDS + 1).msearch(searches=lines)
            answers: list[dict[str, Any]] = found.body["responses"]
            for answer in answers:
                if "error" in answer:
                    raise self._refusal(answer["status"], answer["error"])
            return [self._in_time(answer, COUNT_SECONDS) for answer in answers]

        return self._patiently(ask)

    def _patiently(self, ask: Callable[[Elasticsearch], T]) -> T:
        """A month's first mention makes its index, and who searches at that moment is told that a shard is away."""
        for pause in _PAUSES:
            try:
                with self.speaking() as client:
                    return ask(client)
            except ShardsAway:
                time.sleep(pause)
        with self.speaking() as client:
            return ask(client)

    def _in_time(self, answer: dict[str, Any], seconds: float) -> dict[str, Any]:
        if answer.get("timed_out"):
            raise StoreError(
                f"elasticsearch at {self.names.address} took longer than {seconds:g} s; ask for less"
            )
        return answer

    def get_many(
        self, places: Iterable[tuple[str, str]], fields: Sequence[str] | None = None
    ) -> list[dict[str, Any]]:
        """Documents by (index, id) as they are at this moment, searchable or not; who is missing is left out.
        `fields`: those of the source that are wanted, all by default."""
        docs = [{"_index": index, "_id": mention_id} for index, mention_id in places]
        if not docs:
            return []
        with self.speaking() as client:
            answer = client.mget(docs=docs, source_includes=list(fields) if fields is not None else None)
        for doc in answer.body["docs"]:
            if "error" in doc and doc["error"]["type"] != "index_not_found_exception":
                raise self._refusal(503, doc["error"])
        return [doc for doc in answer.body["docs"] if doc.get("found")]

    def bulk(self, actions: Iterable[bytes]) -> list[Outcome]:
        """One outcome for each action, in order. An action is its line of JSON and, when it has one, its document's.
        What the server is too busy for is tried again a few times, then StoreAway; some of it may have been done by then."""
        sent, outcomes = self._send_all(actions)
        for pause in _PAUSES:
            busy = [at for at, outcome in enumerate(outcomes) if outcome.status in _BUSY]
            if not busy:
                return outcomes
            metrics.BULK_RETRIES.add()
            time.sleep(pause)
            _, again = self._send_all(sent[at] for at in busy)
            for at, outcome in zip(busy, again, strict=True):
                outcomes[at] = outcome
        if left := [outcome for outcome in outcomes if outcome.status in _BUSY]:
            raise StoreAway(
                f"elasticsearch at {self.names.address} was too busy for {len(left):,} of {len(sent):,} changes "
                f"({left[0].status} {left[0].error})"
            )
        return outcomes

    def _send_all(self, actions: Iterable[bytes]) -> tuple[list[bytes], list[Outcome]]:
        sent = list(actions)
        outcomes = [outcome for chunk in _chunks(sent) for outcome in self._send(chunk)]
        _tell(outcomes)
        return sent, outcomes

    def _send(self, actions: Sequence[bytes]) -> list[Outcome]:
        try:
            with self.speaking() as client:
                answer = client.options(request_timeout=WRITE_SECONDS).bulk(
                    operations=actions,  # type: ignore[arg-type]  # takes encoded lines, too
                    filter_path=_BULK_ANSWER,
                )
        except TooLarge:
            if len(actions) == 1:
                return [Outcome(413, "it is larger than the server takes")]
            half = len(actions) // 2
            return self._send(actions[:half]) + self._send(actions[half:])
        return [self._outcome(answered) for item in answer.body["items"] for answered in item.values()]

    def _outcome(self, item: Mapping[str, Any]) -> Outcome:
        status, error = item["status"], item.get("error")
        if error and (status in (401, 403) or "cluster_block" in error["type"]):
            raise self._refusal(status, error)
        return Outcome(status, _described(error) if error else "")

    def _refusal(self, status: int, error: object) -> StoreError:
        """`error`: as the server describes it; a proxy has none."""
        who, kinds = f"elasticsearch at {self.names.address}", _kinds(error)
        why = " ".join([str(status), *kinds])
        if status in _AWAY or any("block" in kind for kind in kinds):
            is_of_shards = status == 503 and "search_phase_execution_exception" in kinds
            return (ShardsAway if is_of_shards else StoreAway)(
                f"{who} is too busy or takes no changes at the moment ({why})"
            )
        if status == 413:
            return TooLarge(f"{who} takes no request of this size ({why})", permanent=True)
        if status in (401, 403):
            return StoreError(
                f"{who}: the API key may not do this ({why}); want one that `lyhord setup elasticsearch` describes",
                permanent=True,
            )
        if any("too_many" in kind for kind in kinds):
            return StoreError(
                f"{who}: the query stands for too many words; want longer words before *, or fewer of them",
                permanent=True,
            )
        return StoreError(f"{who} refused ({why})", permanent=400 <= status < 500)


def _tell(outcomes: Sequence[Outcome]) -> None:
    said = {200: "done", 201: "done", 404: "missing", 409: "conflict"} | dict.fromkeys(_BUSY, "busy")
    for status, number in Counter(outcome.status for outcome in outcomes).items():
        metrics.BULK_ITEMS.add(said.get(status, "refused"), by=number)


def _chunks(actions: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Each of at most BULK_ACTIONS and BULK_BYTES, one action at least."""
    chunk: list[bytes] = []
    size = 0
    for action in actions:
        if chunk and (len(chunk) == BULK_ACTIONS or size + len(action) > BULK_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(action)
        size += len(action)
    if chunk:
        yield chunk


def _kinds(error: object) -> list[str]:
    """What went wrong and why, by the server's names for it, outermost first."""
    kinds: list[str] = []
    while isinstance(error, Mapping):
        kind = error.get("type")
        if isinstance(kind, str) and kind not in kinds:
            kinds.append(kind)
        causes = error.get("root_cause") or [error.get("caused_by")]
        error = causes[0]
    return kinds


def _described(error: Mapping[str, Any]) -> str:
    """The kind and the field; what else the reason says may quote a value."""
    field = _FIELD.search(str(error.get("reason", "")))
    return f"{error['type']}: field {field[1]}" if field else str(error["type"])
