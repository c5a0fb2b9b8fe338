"""What only the archive on Elasticsearch promises: the server's refusals in our words, who else writes at the same time, what
a search does not show yet, and queries that the server would not take as they are."""

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import pytest
from elasticsearch import Elasticsearch
from hypothesis import given, settings
from hypothesis import strategies as st

from listener.archive.elastic import ElasticArchive, adding, client, erasing, template, translate
from listener.archive.elastic import archive as archive_module
from listener.archive.elastic.client import Server, ShardsAway
from listener.archive.elastic.documents import cut
from listener.archive.elastic.names import Names
from listener.errors import StoreAway, StoreError, StoreRefused
from listener.mention import Mention
from listener.ports import Added, Where
from listener.query import And, Node, Not, Or, Prefix, Query, Word, parse
from tests.contract.archive_samples import (
    DAY,
    EDITED_RELEASE,
    HOUR,
    NOON,
    RELEASE,
    found,
    ids,
    make_mention,
    make_score,
    new_address,
)
from tests.contract.test_archive_searching import NODES

SECRET = "kundens hemlighet"


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with new_address("elasticsearch", tmp_path) as made:
        yield made


@pytest.fixture
def archive(url: str) -> Iterator[ElasticArchive]:
    with opened(url) as made:
        yield made


@contextmanager
def opened(url: str) -> Iterator[ElasticArchive]:
    archive = ElasticArchive(url)
    try:
        yield archive
    finally:
        archive.close()


@contextmanager
def raw(url: str) -> Iterator[tuple[Elasticsearch, Names]]:
    names = Names.of(url)
    with Elasticsearch(names.address) as server:
        yield server, names


# ------------------------------------------------------------------------------------------------ refusals


@dataclass
class Script:
    """What the fake server says: (status, body) to a search, and statuses for the items of each bulk in turn, the last for
    ever."""

    search: tuple[int, object] = (200, {"hits": {"hits": [], "total": {"value": 0}}})
    bulks: list[list[int]] = field(default_factory=lambda: [[201]])
    pause: float = 0
    starting: int = 0
    """Searches at first of which the shards are away."""
    header: str = "Elasticsearch"
    sent: list[int] = field(default_factory=list)
    """Actions of each bulk."""


class Fake(BaseHTTPRequestHandler):
    script: ClassVar[Script]

    def do_GET(self) -> None:
        meta = {"index_template": {"_meta": {"version": template.VERSION}}}
        self._answer(200, {"index_templates": [meta]})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if "_bulk" in self.path:
            self._bulk(sum(b'"create"' in line for line in body.splitlines()))
        elif "_refresh" in self.path:
            self._answer(200, {})
        else:
            time.sleep(self.script.pause)
            self.script.starting -= 1
            is_starting = self.script.starting >= 0
            self._answer(
                *((503, error("search_phase_execution_exception")) if is_starting else self.script.search)
            )

    def do_PUT(self) -> None:
        self.do_POST()

    def _bulk(self, number: int) -> None:
        script = self.script
        script.sent.append(number)
        statuses = script.bulks.pop(0) if len(script.bulks) > 1 else script.bulks[0]
        if statuses == [413] and number > 1:
            self._answer(413, {})
            return
        items = [{"create": item(statuses[at % len(statuses)])} for at in range(number)]
        self._answer(200, {"items": items})

    def _answer(self, status: int, body: object) -> None:
        written = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "text/html" if isinstance(body, str) else "application/json")
        self.send_header("content-length", str(len(written)))
        self.send_header("x-elastic-product", self.script.header)
        self.end_headers()
        self.wfile.write(written)

    def log_message(self, *args: object) -> None:
        pass


def item(status: int) -> dict[str, Any]:
    kinds = {
        400: "document_parsing_exception",
        403: "cluster_block_exception",
        429: "es_rejected_execution_exception",
    }
    reason = f"failed to parse field [lyhord.voice] of type [keyword]. Preview of field's value: '{SECRET}'"
    error = {"type": kinds.get(status, "internal_error"), "reason": reason}
    return {"status": status} | ({"error": error} if status >= 400 else {})


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Script], ElasticArchive]]:
    monkeypatch.setattr(client, "_PAUSES", (0, 0))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Fake)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    archive = ElasticArchive(f"http://127.0.0.1:{server.server_port}")

    def scripted(script: Script) -> ElasticArchive:
        Fake.script = script
        return archive

    yield scripted
    archive.close()
    server.shutdown()
    thread.join()
    server.server_close()


def error(kind: str, cause: str = "") -> dict[str, Any]:
    whole: dict[str, Any] = {"type": kind, "reason": SECRET}
    if cause:
        whole["root_cause"] = [{"type": cause, "reason": SECRET}]
    return {"error": whole}


@pytest.mark.parametrize(
    ("status", "body", "raised", "permanent", "words"),
    [
        (429, error("circuit_breaking_exception"), StoreAway, False, "too busy"),
        (503, "<html>Bad gateway</html>", StoreAway, False, "503"),
        (502, {}, StoreAway, False, "502"),
        (503, error("search_phase_execution_exception"), ShardsAway, False, "search_phase"),
        (403, error("cluster_block_exception"), StoreAway, False, "cluster_block"),
        (403, error("security_exception"), StoreError, True, "API key"),
        (401, error("security_exception"), StoreError, True, "API key"),
        (
            400,
            error("search_phase_execution_exception", "too_many_nested_clauses"),
            StoreError,
            True,
            "words",
        ),
        (400, error("parsing_exception"), StoreError, True, "parsing_exception"),
        (500, error("null_pointer_exception"), StoreError, False, "null_pointer"),
        (200, {"timed_out": True}, StoreError, False, "longer than"),
    ],
)
def test_what_the_server_refuses_is_said_in_our_words(
    fake: Callable[[Script], ElasticArchive],
    status: int,
    body: object,
    raised: type[StoreError],
    permanent: bool,
    words: str,
) -> None:
    archive = fake(Script(search=(status, body)))
    with pytest.raises(StoreError, match=words) as caught:
        archive.search(Where())
    assert type(caught.value) is raised
    assert caught.value.permanent is permanent
    assert SECRET not in str(caught.value)
    assert re.search(r"127\.0\.0\.1:\d+", str(caught.value)), "says which server"


def test_the_shards_of_a_month_that_is_being_made_are_waited_for(
    fake: Callable[[Script], ElasticArchive],
) -> None:
    assert fake(Script(starting=2)).search(Where()) == []


def test_another_server_at_the_address_is_told(fake: Callable[[Script], ElasticArchive]) -> None:
    with pytest.raises(StoreError, match="not Elasticsearch") as caught:
        fake(Script(header="Apache")).search(Where())
    assert caught.value.permanent


def test_a_server_that_is_not_there_or_does_not_answer_is_away(
    fake: Callable[[Script], ElasticArchive], monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened("http://127.0.0.1:1") as nobody, pytest.raises(StoreAway, match="cannot be reached"):
        nobody.total()
    monkeypatch.setattr(archive_module, "SEARCH_SECONDS", 0.01)
    with pytest.raises(StoreAway, match="cannot be reached"):
        fake(Script(pause=1.5)).search(Where())


def test_items_that_the_server_is_too_busy_for_are_sent_again(
    fake: Callable[[Script], ElasticArchive],
) -> None:
    script = Script(bulks=[[429, 201, 503], [201, 429], [201]])
    assert len(fake(script).add([make_mention(str(number)) for number in range(3)]).new) == 3
    assert script.sent == [3, 2, 1]
    with pytest.raises(StoreAway, match="too busy for 1 of 2"):
        fake(Script(bulks=[[429, 201], [429]])).add([make_mention("7"), make_mention("8")])


def test_an_index_that_takes_no_writes_is_away(fake: Callable[[Script], ElasticArchive]) -> None:
    script = Script(bulks=[[403]])
    with pytest.raises(StoreAway, match="cluster_block"):
        fake(script).add([make_mention()])
    assert script.sent == [1], "asking again at once cannot help"


def test_what_the_server_never_takes_is_named_and_the_others_are_stored(
    fake: Callable[[Script], ElasticArchive],
) -> None:
    mentions = sorted((make_mention(str(number)) for number in range(4)), key=lambda mention: mention.id)
    with pytest.raises(StoreRefused, match="2 of 4") as caught:
        fake(Script(bulks=[[201, 400]])).add(mentions)
    reason = "document_parsing_exception: field lyhord.voice"
    assert caught.value.reasons == {mentions[1].id: reason, mentions[3].id: reason}
    assert SECRET not in str(caught.value)


def test_what_is_too_large_at_once_is_sent_in_parts(fake: Callable[[Script], ElasticArchive]) -> None:
    script = Script(bulks=[[413], [413], [201]])
    assert len(fake(script).add([make_mention(str(number)) for number in range(4)]).new) == 4
    with pytest.raises(StoreRefused) as caught:
        fake(Script(bulks=[[413]])).add([make_mention("7"), make_mention("8")])
    assert set(caught.value.reasons) == set(ids("7", "8"))


# ------------------------------------------------------------------------------------------------ who else writes


@pytest.fixture
def others(url: str) -> Iterator[ElasticArchive]:
    """The same archive in another process, as it were: it has read already, and does not refresh by itself."""
    with opened(url) as other:
        other.add([make_mention("other")])
        other.add([make_mention("other")])
        yield other


def test_who_was_slower_knows_what_was_stored_meanwhile(
    archive: ElasticArchive, others: ElasticArchive
) -> None:
    mention = make_mention("1")
    assert archive.add([mention]).new == (mention.id,)
    assert others.add([mention, make_mention("2")]) == Added(tuple(ids("2")), (), (mention.id,))
    third = make_mention("3")
    archive.add([third])
    edited = replace(third, text="Nu fungerar det")
    assert others.add([edited]).edited == (third.id,)
    assert archive.search(Where(query=parse("fungerar")))[0].revision == edited.revision


def test_an_edit_meets_another_edit(
    archive: ElasticArchive, others: ElasticArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    mention = make_mention("1", score=make_score())
    archive.add([mention])
    read = Server.get_many

    def disturbed(server: Server, *args: Any) -> list[dict[str, Any]]:
        found = read(server, *args)
        monkeypatch.setattr(Server, "get_many", read)
        assert others.add([replace(mention, text="Först", title="Ny")]).edited
        return found

    monkeypatch.setattr(Server, "get_many", disturbed)
    last = replace(mention, text="Sist", score=None)
    assert archive.add([last]).edited == (mention.id,)
    stored = archive.get(mention.id)
    assert stored == replace(last, cluster=mention.id)


def test_a_score_does_not_undo_an_edit(archive: ElasticArchive, others: ElasticArchive) -> None:
    mention = make_mention("1")
    archive.add([mention])
    read = archive.unscored(9)
    assert mention.id in {each.id for each in read}
    others.add([replace(mention, text="Nu fungerar det")])
    saved = archive.save_scores({each.id: (each.revision, make_score()) for each in read})
    assert saved == len(read) - 1
    stored = archive.get(mention.id)
    assert stored
    assert (stored.text, stored.score) == ("Nu fungerar det", None)


def test_what_others_write_shows_after_a_while(archive: ElasticArchive, others: ElasticArchive) -> None:
    archive.total()
    others.add([make_mention("1")])
    until = time.monotonic() + 10
    while archive.total() != 2 and time.monotonic() < until:
        time.sleep(0.1)
    assert archive.total() == 2


def test_adding_sees_its_own_copies_without_a_refresh(
    archive: ElasticArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.add([make_mention("first")])
    refreshed = []
    monkeypatch.setattr(adding, "refresh", lambda *_: refreshed.append(1))
    archive.add([make_mention("1", text=RELEASE)])
    archive.add([make_mention("2", text=EDITED_RELEASE)])
    assert archive.add([make_mention("1", text=RELEASE)]).known == tuple(ids("1"))
    assert not refreshed
    stored = archive.get(make_mention("2").id)
    assert stored
    assert stored.cluster == make_mention("1").id


def test_an_archive_may_be_carried_across_a_fork(archive: ElasticArchive) -> None:
    archive.add([make_mention("1")])
    child = os.fork()
    if child == 0:
        os._exit(archive.total() + len(archive.add([make_mention("2")]).new))
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 2
    assert archive.held(ids("1", "2")) >= frozenset(ids("1"))


# ------------------------------------------------------------------------------------------------ documents


def test_an_id_that_comes_again_in_another_month_is_the_same_mention(archive: ElasticArchive) -> None:
    mention = make_mention("1")
    archive.add([mention])
    later = replace(mention, published_at=NOON + 40 * DAY)
    assert archive.add([later]).known == (mention.id,)
    edited = replace(later, text="Nu fungerar det")
    assert archive.add([edited]).edited == (mention.id,)
    stored = archive.get(mention.id)
    assert stored
    assert (stored.text, stored.published_at) == (edited.text, mention.published_at)
    assert archive.total() == 1


def test_a_refused_original_leaves_its_copies_an_original(archive: ElasticArchive) -> None:
    bad = make_mention("bad", text=RELEASE, language="x" * 40_000)
    copies = [make_mention(str(n), text=EDITED_RELEASE, published_at=NOON + n * HOUR) for n in (1, 2)]
    with pytest.raises(StoreRefused) as caught:
        archive.add([bad, *copies])
    assert set(caught.value.reasons) == {bad.id}
    assert "xxx" not in str(caught.value) + str(caught.value.reasons)
    stored = {mention.id: (mention.cluster, mention.is_copy) for mention in archive.search(Where())}
    heir = copies[0].id
    assert stored == {heir: (heir, False), copies[1].id: (heir, True)}


@pytest.mark.slow
def test_erased_words_leave_the_files(archive: ElasticArchive, url: str) -> None:
    """The server keeps what was deleted for up to half a minute."""
    archive.add([make_mention(str(number)) for number in range(300)])
    archive.total()
    assert archive.erase(ids("7", "8")) == 2
    until = time.monotonic() + 3 * erasing.KEPT_SECONDS
    while _deleted(url) and time.monotonic() < until:
        time.sleep(1)
        assert archive.settle() == 0
    assert _deleted(url) == 0
    assert archive.total() == 298


def _deleted(url: str) -> int:
    """Documents that are only marked."""
    with raw(url) as (server, names):
        rows: Any = server.cat.segments(index=names.pattern, format="json", h="docs.deleted").body
    return sum(int(each["docs.deleted"]) for each in rows)


@pytest.mark.parametrize("letter", ["å", "𝒜"])
def test_words_that_are_too_long_for_the_index_are_found(archive: ElasticArchive, letter: str) -> None:
    word = letter * 400
    archive.add([make_mention("1", text=f"före {word} efter"), make_mention("2", text=letter * 3)])
    for node in (Word(word), Prefix(word[:390]), Prefix(word[:4]), parse(f'"före {word} efter"').root):
        assert found(archive, Where(query=Query("", node))) == set(ids("1")), node
    assert len(cut(word).encode("utf-16-le")) <= 510


def test_an_unknown_field_is_refused_by_the_server(archive: ElasticArchive, url: str) -> None:
    """So a slip in a document cannot widen the mapping."""
    archive.add([make_mention("1")])
    with raw(url) as (server, names):
        answer = server.options(ignore_status=400).index(index=names.index(NOON), document={"surprise": 1})
    assert answer.meta.status == 400


# ------------------------------------------------------------------------------------------------ tall queries


def _height(node: Node) -> int:
    match node:
        case And(children) | Or(children):
            return 1 + max(_height(child) for child in children)
        case Not(child):
            return 1 + _height(child)
        case _:
            return 0


LETTERS = st.sampled_from("abcdef")
TALL = st.recursive(
    LETTERS.map(Word),
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(lambda nodes: And(tuple(nodes))),
        st.lists(inner, min_size=2, max_size=3).map(lambda nodes: Or(tuple(nodes))),
        inner.map(Not),
    ),
    max_leaves=30,
)


def _is_true(node: Node, words: frozenset[str]) -> bool:
    match node:
        case And(children):
            return all(_is_true(child, words) for child in children)
        case Or(children):
            return any(_is_true(child, words) for child in children)
        case Not(child):
            return not _is_true(child, words)
        case Word(text):
            return text in words
        case _:
            raise TypeError(node)


@settings(max_examples=200, deadline=None)
@given(node=TALL, words=st.frozensets(LETTERS))
def test_a_tall_query_is_brought_down_and_means_the_same(node: Node, words: frozenset[str]) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(translate, "_MAX_HEIGHT", 3)
        patched.setattr(translate, "_MAX_CUTS", 10_000)
        lowered = translate._Axe().lowered(node)
    assert _is_true(lowered, words) == _is_true(node, words)


def test_a_tower_becomes_low_and_a_forest_of_them_is_refused() -> None:
    tower: Node = Word("a")
    for number in range(48):
        tower = (And, Or)[number % 2]((tower, Word(f"w{number}")))
    assert _height(translate._Axe().lowered(tower)) <= translate._MAX_HEIGHT + 2
    with pytest.raises(StoreError, match="parentheses"):
        translate.translate(Or((Word("x"), *[And((tower, Word(f"t{number}"))) for number in range(80)])))


@settings(max_examples=100, deadline=None)
@given(node=NODES)
def test_any_query_can_be_written_as_json(node: Node) -> None:
    json.dumps(translate.translate(node))


def test_a_mention_is_what_it_was_after_a_thousand_of_one_second(archive: ElasticArchive) -> None:
    """Many pages with ties."""
    mentions: list[Mention] = [
        make_mention(str(number), published_at=NOON + timedelta(microseconds=number % 2))
        for number in range(2_500)
    ]
    archive.add(mentions)
    wanted = sorted(((m.published_at, m.id) for m in mentions), reverse=True)
    assert [(m.published_at, m.id) for m in archive.search(Where(), limit=9_999)] == wanted
