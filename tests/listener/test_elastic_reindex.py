"""Reindexing on a real server: nothing lost, nothing doubled, whoever writes meanwhile and wherever it is stopped."""

import random
import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from elasticsearch import ApiError, AuthorizationException, Elasticsearch

from listener.archive.elastic import reindex as module
from listener.archive.elastic import template
from listener.archive.elastic.names import Names
from listener.archive.elastic.reindex import reindex
from listener.errors import StoreError
from tests import services

pytestmark = pytest.mark.server
MONTH = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def names() -> Names:
    return Names.of(f"{services.elasticsearch()}/test-{secrets.token_hex(6)}")


@pytest.fixture
def client(names: Names) -> Iterator[Elasticsearch]:
    opened = Elasticsearch(names.address)
    yield opened
    template.drop(opened, names)
    opened.close()


def quietly(done: int, total: int) -> None:
    """Says nothing."""


def new_shape(monkeypatch: pytest.MonkeyPatch, kind: str = "keyword") -> None:
    """One that no index can take in place."""
    before = template._own_fields
    monkeypatch.setattr(template, "VERSION", template.VERSION + 1)
    monkeypatch.setattr(
        template, "_own_fields", lambda analysers: {**before(analysers), "reach": {"type": kind}}
    )


def fill(client: Elasticsearch, index: str, count: int) -> None:
    lines: list[dict[str, Any]] = []
    for n in range(count):
        lines += ({"create": {"_index": index, "_id": str(n)}}, {"lyhord": {"reach": n}})
    assert not client.bulk(operations=lines)["errors"]


def everything(client: Elasticsearch, index: str) -> dict[str, int]:
    """{id: reach} of all that is found, each once."""
    client.indices.refresh(index=index)
    hits = client.search(index=index, size=10_000)["hits"]["hits"]
    found = {hit["_id"]: hit["_source"]["lyhord"]["reach"] for hit in hits}
    assert len(found) == len(hits)
    return found


def type_of_reach(client: Elasticsearch, index: str) -> str:
    (found,) = client.indices.get_mapping(index=index).body.values()
    return str(found["mappings"]["properties"]["lyhord"]["properties"]["reach"]["type"])


def test_every_index_gets_the_new_shape_and_keeps_its_name(
    client: Elasticsearch, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    template.ensure(client, names)
    months = [names.index(MONTH), names.index(MONTH.replace(month=4))]
    for month in months:
        fill(client, month, 1_200)
    said: list[tuple[int, int]] = []
    for kind in ("keyword", "integer"):
        new_shape(monkeypatch, kind)
        assert reindex(client, names, lambda done, total: said.append((done, total))) == tuple(months)
        for month in months:
            assert type_of_reach(client, month) == kind
            assert everything(client, month) == {str(n): n for n in range(1_200)}
            client.index(index=month, id="1", document={"lyhord": {"reach": 1}})
        assert client.count(index=names.alias)["count"] == client.count(index=names.pattern)["count"] == 2_400
        assert said[-1] == (2_400, 2_400)
    assert reindex(client, names, quietly) == ()
    real = client.indices.get(index=f"{names.prefix}-*").body
    assert set(real) == {names.reindexed(names.reindexed(month)) for month in months}  # the old ones are gone


def test_readings_of_sources_get_the_new_shape_too(
    client: Elasticsearch, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    template.ensure(client, names)
    client.create(index=names.sources, id="1", document={"lyhord": {"channel": "forum"}})
    changed = {"properties": {"lyhord": {"properties": {"channel": {"type": "text"}}}}, "dynamic": "strict"}
    monkeypatch.setattr(template, "MAPPINGS_SOURCES", changed)
    monkeypatch.setattr(template, "VERSION", template.VERSION + 1)
    assert reindex(client, names, quietly) == (names.sources,)
    assert client.get(index=names.sources, id="1")["_source"] == {"lyhord": {"channel": "forum"}}
    assert not client.indices.exists_alias(index=names.sources, name=names.alias)


@dataclass(slots=True)
class Writer:
    """Adds, edits and deletes as fast as it can, and knows what the index must hold. A write that is refused for a moment is
    tried again, as a journal does."""

    client: Elasticsearch
    index: str
    seed: int
    truth: dict[str, int]
    waited: int = 0
    writes: int = 0
    wrong: list[str] = field(default_factory=list)

    def work(self, enough: threading.Event) -> None:
        dice = random.Random(self.seed)
        while not enough.is_set():
            self.writes += 1
            key = (
                f"{self.seed}-{dice.randrange(300)}"
                if dice.random() < 0.5
                else str(self.seed + 10 * dice.randrange(90))
            )
            if key in self.truth and dice.random() < 0.4:
                self.insist(
                    lambda key=key: self.client.options(ignore_status=404).delete(index=self.index, id=key)
                )
                del self.truth[key]
            else:
                document = {"lyhord": {"reach": self.writes}}
                self.insist(
                    lambda key=key, it=document: self.client.index(index=self.index, id=key, document=it)
                )
                self.truth[key] = self.writes

    def insist(self, write: Any) -> None:
        while True:
            try:
                write()
                return
            except ApiError as e:
                if "cluster_block" not in e.error:
                    self.wrong.append(str(e))
                    raise
                self.waited += 1
                time.sleep(0.01)


@pytest.mark.slow
def test_nothing_is_lost_or_doubled_while_others_add_edit_and_delete(
    client: Elasticsearch, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    template.ensure(client, names)
    month = names.index(MONTH)
    fill(client, month, 3_000)
    # Each writer has keys of its own: those that end with its digit, and new ones.
    writers = [Writer(client, month, seed, {str(n): n for n in range(seed, 3_000, 10)}) for seed in (0, 1, 2)]
    untouched = {str(n): n for n in range(3_000) if n % 10 > 2}
    enough = threading.Event()
    threads = [threading.Thread(target=writer.work, args=[enough]) for writer in writers]
    for thread in threads:
        thread.start()
    try:
        monkeypatch.setattr(module, "PAGE", 100)
        monkeypatch.setattr(module, "ROUNDS", 3)
        for kind in ("keyword", "integer"):
            new_shape(monkeypatch, kind)
            reindex(client, names, quietly)
            time.sleep(0.2)
    finally:
        enough.set()
        for thread in threads:
            thread.join()
    assert not [words for writer in writers for words in writer.wrong]
    wanted = dict(untouched)
    for writer in writers:
        assert writer.writes > 100
        wanted.update(writer.truth)
    assert everything(client, month) == wanted
    assert type_of_reach(client, month) == "integer"


class Killed(BaseException):
    """As SIGKILL: nothing after it runs, for what runs finds every request failing."""


def dying(client: Elasticsearch, patch: pytest.MonkeyPatch, after: int) -> None:
    """The process ends with its request number `after`; with even numbers the server has carried it out, with odd ones not."""
    perform, done = client.transport.perform_request, 0

    def counted(*arguments: Any, **more: Any) -> Any:
        nonlocal done
        done += 1
        if done > after or (done == after and after % 2):
            raise Killed
        answer = perform(*arguments, **more)
        if done == after:
            raise Killed
        return answer

    patch.setattr(client.transport, "perform_request", counted)


@pytest.mark.slow
def test_whoever_is_killed_goes_on_where_it_was(
    client: Elasticsearch, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE", 10)
    monkeypatch.setattr(module, "PAGES_BETWEEN_NOTES", 1)
    template.ensure(client, names)
    month = names.index(MONTH)
    wanted = {str(n): n for n in range(25)}
    fill(client, month, 25)
    kinds = ("keyword", "integer")
    new_shape(monkeypatch, kinds[0])
    died, whole = 0, 0
    for turn, after in enumerate(range(1, 400, 3)):  # each third of some sixty requests
        mortal = Elasticsearch(names.address)
        with pytest.MonkeyPatch.context() as patch:
            dying(mortal, patch, after)
            try:
                reindex(mortal, names, quietly)
                whole += 1
            except Killed:
                died += 1
        mortal.close()
        unblock_and_change(client, month, wanted, after)
        reindex(client, names, quietly)
        assert everything(client, month) == wanted, after
        assert client.count(index=names.pattern)["count"] == len(wanted)
        assert type_of_reach(client, month) == kinds[turn % 2]
        if whole:
            break
        new_shape(monkeypatch, kinds[(turn + 1) % 2])
    assert died > 15
    assert whole == 1


def unblock_and_change(client: Elasticsearch, month: str, wanted: dict[str, int], turn: int) -> None:
    """Between death and the next attempt somebody edits, deletes and adds, when the index takes it."""
    try:
        client.index(index=month, id="3", document={"lyhord": {"reach": turn}})
        client.options(ignore_status=404).delete(index=month, id=str(turn % 25))
        client.index(index=month, id=f"new-{turn}", document={"lyhord": {"reach": turn}})
    except AuthorizationException:  # how the client calls 403: it takes no writes
        return
    wanted["3"] = turn
    wanted.pop(str(turn % 25), None)
    wanted[f"new-{turn}"] = turn


def test_a_document_that_the_new_shape_refuses_stops_it_and_changes_nothing(
    client: Elasticsearch, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    template.ensure(client, names)
    month = names.index(MONTH)
    fill(client, month, 5)
    new_shape(monkeypatch, "ip")
    with pytest.raises(StoreError, match=r"5 documents.*0: document_parsing_exception") as refused:
        reindex(client, names, quietly)
    assert refused.value.permanent
    assert everything(client, month) == {str(n): n for n in range(5)}
    client.index(index=month, id="6", document={"lyhord": {"reach": 6}})


def test_a_half_copy_of_an_index_that_is_no_more_is_not_gone_on_with(
    client: Elasticsearch, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    template.ensure(client, names)
    month = names.index(MONTH)
    fill(client, month, 50)
    new_shape(monkeypatch)
    with monkeypatch.context() as first:
        first.setattr(module, "_forget_vanished", lambda client, move: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            reindex(client, names, quietly)
    client.indices.delete(index=month)
    old_shape = {
        "properties": {"lyhord": {"properties": {"reach": {"type": "integer"}}}},
        "_meta": {"version": 0},
    }
    client.indices.create(index=month, mappings=old_shape)
    client.index(index=month, id="9", document={"lyhord": {"reach": 9}})
    assert reindex(client, names, quietly) == (month,)
    assert everything(client, month) == {"9": 9}
