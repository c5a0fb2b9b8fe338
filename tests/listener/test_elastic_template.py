"""The shape of an archive on Elasticsearch: its names, and its templates on a real server."""

import secrets
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from elastic_transport import ApiResponseMeta, HttpHeaders, NodeConfig
from elasticsearch import ApiError, BadRequestError, ConnectionTimeout, Elasticsearch
from hypothesis import given
from hypothesis import strategies as st

from listener.archive.elastic import template
from listener.archive.elastic.names import Names
from listener.errors import ConfigError, StoreAway, StoreError, StoreTooNew
from tests import services

MONTH = datetime(2026, 3, 2, 12, tzinfo=UTC)
PREFIXES = st.from_regex(r"[a-z0-9][a-z0-9-]{0,20}", fullmatch=True)
BAD = (
    *(
        "",
        "http://h",
        "ftp://h:1",
        "http://:9200",
        "http://h:x",
        "http://[::1",
        "sqlite:///f",
        "http://h:1?q",
    ),
    *("http://h:1#f", "http://h:1/a*", "http://h:1/A", "http://h:1/a_b", "http://h:1/a/b", "http://h:1/-a"),
)


@pytest.fixture
def names() -> Names:
    return Names.of(f"{services.elasticsearch()}/test-{secrets.token_hex(6)}")


@pytest.fixture
def client(names: Names) -> Iterator[Elasticsearch]:
    opened = Elasticsearch(names.address)
    yield opened
    template.drop(opened, names)
    opened.close()


def test_names_follow_from_the_address() -> None:
    names = Names.of("https://search.example:9243/fjell-1/")
    assert (names.address, names.prefix) == ("https://search.example:9243", "fjell-1")
    assert (names.alias, names.pattern) == ("fjell-1-mentions", "fjell-1-mentions-*")
    assert names.index(MONTH) == "fjell-1-mentions-2026.03"
    assert Names.of("http://[::1]:9200").address == "http://[::1]:9200"
    assert Names.of("http://127.0.0.1:9200").prefix == "lyhord"


def test_a_month_is_one_of_utc() -> None:
    names = Names.of("http://h:1")
    east, west = timezone(timedelta(hours=14)), timezone(-timedelta(hours=12))
    assert names.index(datetime(2026, 1, 1, 3, tzinfo=east)) == "lyhord-mentions-2025.12"
    assert names.index(datetime(2026, 1, 31, 23, tzinfo=west)) == "lyhord-mentions-2026.02"
    assert names.index(datetime.min.replace(tzinfo=east)) == "lyhord-mentions-0001.01"
    assert names.index(datetime.max.replace(tzinfo=west)) == "lyhord-mentions-9999.12"


@pytest.mark.parametrize("url", BAD)
def test_a_bad_address_is_refused_with_what_is_wanted(url: str) -> None:
    with pytest.raises(ConfigError, match="want"):
        Names.of(url)


def test_a_login_is_refused_and_not_shown() -> None:
    with pytest.raises(ConfigError, match="LYHORD_ARCHIVE_API_KEY") as refused:
        Names.of("http://me:hunter2@h:9200")
    assert "hunter2" not in str(refused.value)


@given(PREFIXES, PREFIXES)
def test_no_pattern_of_one_prefix_finds_an_index_of_another(one: str, other: str) -> None:
    try:
        mine, theirs = Names.of(f"http://h:1/{one}"), Names.of(f"http://h:1/{one}-{other}")
    except ConfigError:
        return
    for pattern in (mine.pattern, mine.all_reindexed):
        for index in (
            theirs.index(MONTH),
            theirs.reindexed(theirs.index(MONTH)),
            theirs.incidents,
            theirs.sources,
        ):
            assert not index.startswith(pattern.removesuffix("*"))


@pytest.mark.parametrize("prefix", ["a-mentions", "a-mentions-b", "mentions", "a-reindexed", "reindexed-b"])
def test_a_prefix_that_could_be_taken_for_an_index_is_refused(prefix: str) -> None:
    with pytest.raises(ConfigError, match="without the words"):
        Names.of(f"http://h:1/{prefix}")


@given(PREFIXES, st.integers(1, 5))
def test_a_lasting_name_survives_any_number_of_reindexings(prefix: str, times: int) -> None:
    try:
        names = Names.of(f"http://h:1/{prefix}")
    except ConfigError:
        return
    for lasting in (names.index(MONTH), names.incidents, names.sources):
        real, seen = lasting, {lasting}
        for _ in range(times):
            real = names.reindexed(real)
            assert names.known_as(real) == lasting
            assert real not in seen
            seen.add(real)


def test_ensure_installs_once_and_then_asks_one_question(client: Elasticsearch, names: Names) -> None:
    assert template.ensure(client, names) == ()
    asked: list[str] = []
    listening = client.options()
    perform = listening.transport.perform_request

    def counted(method: str, target: str, **more: Any) -> Any:
        asked.append(f"{method} {target.partition('?')[0]}")
        return perform(method, target, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(listening.transport, "perform_request", counted)
        assert template.ensure(listening, names) == ()
    assert asked == [f"GET /_index_template/{names.template}"]


def test_a_month_is_made_by_writing_and_takes_nothing_that_the_shape_does_not_know(
    client: Elasticsearch, names: Names
) -> None:
    template.ensure(client, names)
    month = names.index(MONTH)
    client.create(index=month, id="1", document=full_document())
    assert client.get(index=names.alias, id="1")["_source"] == full_document()
    for strange in ({"x": 1}, {"lyhord": {"x": 1}}, {"event": {"x": 1}}):
        with pytest.raises(BadRequestError, match="strict_dynamic_mapping"):
            client.create(index=month, id="2", document=strange)
    settings = client.indices.get_settings(index=month)[month]["settings"]["index"]
    assert settings["number_of_replicas"] == "0"  # a single node


def full_document() -> dict[str, Any]:
    """Every field of the mapping once; `engagement` also with a name that nobody foresaw."""
    document: dict[str, Any] = {}
    fill(document, template.MAPPINGS["properties"])
    document["lyhord"]["engagement"] = {"likes": 2**70, "applause": 3}
    document["lyhord"]["why"] = [["anxiety", "ordet", 1.5], {"": 1}]
    document["lyhord"]["fields"] = ["tag:#nät", "x" * 9000]
    return document


def fill(document: dict[str, Any], properties: Mapping[str, Any]) -> None:
    examples = {"date": "0001-01-01T00:00:00.000Z", "long": -(2**62), "double": 0.5, "boolean": True}
    for name, field in properties.items():
        if "properties" in field:
            fill(document.setdefault(name, {}), field["properties"])
        else:
            document[name] = examples.get(field.get("type", ""), "ord")


def test_languages_are_analysed_or_fall_back(client: Elasticsearch, names: Names) -> None:
    """The sub-fields are there whatever the server can do, so that a search that names one works everywhere."""
    standing = template.install(client, names)
    assert standing.analysers.keys() == template.ANALYSERS.keys()
    client.create(
        index=names.index(MONTH), id="1", document={"message": "Bilarna står", "lyhord": {"title": "Kö"}}
    )
    client.indices.refresh(index=names.alias)
    for language in template.ANALYSERS:
        for field, word in (("message", "bilarna"), ("lyhord.title", "kö")):
            found = client.search(index=names.alias, query={"match": {f"{field}.{language}": word}})
            assert found["hits"]["total"]["value"] == 1
    kept = client.indices.get_index_template(name=names.template)["index_templates"][0]["index_template"]
    assert kept["_meta"] == {"version": template.VERSION, "analysers": dict(standing.analysers)}


def test_the_words_of_title_and_text_are_far_apart(client: Elasticsearch, names: Names) -> None:
    template.ensure(client, names)
    client.create(
        index=names.index(MONTH), id="1", document={"lyhord": {"words": ["nere igen", "hela dagen"]}}
    )
    client.indices.refresh(index=names.alias)

    def hits(phrase: str, slop: int = 0) -> int:
        query = {"match_phrase": {"lyhord.words": {"query": phrase, "slop": slop}}}
        return int(client.search(index=names.alias, query=query)["hits"]["total"]["value"])

    assert [hits("nere igen"), hits("igen hela"), hits("igen hela", slop=50_000)] == [1, 0, 0]


def test_a_newer_template_is_left_alone(
    client: Elasticsearch, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as later:
        later.setattr(template, "VERSION", template.VERSION + 1)
        template.ensure(client, names)
    for attempt in (template.ensure, template.install):
        with pytest.raises(StoreTooNew, match="newer Lyhord"):
            attempt(client, names)


def test_a_new_field_reaches_months_that_are_there(
    client: Elasticsearch, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    template.ensure(client, names)
    client.create(index=names.index(MONTH), id="1", document={"message": "hej"})
    change(monkeypatch, mood={"type": "keyword"})
    assert template.ensure(client, names) == ()
    client.create(index=names.index(MONTH), id="2", document={"lyhord": {"mood": "glad"}})


def test_what_a_month_cannot_take_asks_for_a_reindex_and_the_rest_is_taken(
    client: Elasticsearch, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    template.ensure(client, names)
    month = names.index(MONTH)
    client.create(index=month, id="1", document={"lyhord": {"reach": 5}})
    change(monkeypatch, reach={"type": "keyword"}, mood={"type": "keyword"})
    assert template.ensure(client, names) == (month,)
    client.create(index=month, id="2", document={"lyhord": {"mood": "glad", "reach": 7}})
    assert template.ensure(client, names) == ()  # the template is current
    assert template.install(client, names).outdated == (month,)  # and whoever looks still hears of it


def change(monkeypatch: pytest.MonkeyPatch, **fields: Mapping[str, Any]) -> None:
    """The next version of the shape."""
    before = template._own_fields
    monkeypatch.setattr(template, "VERSION", template.VERSION + 1)
    monkeypatch.setattr(template, "_own_fields", lambda analysers: {**before(analysers), **fields})


def test_an_index_made_while_the_template_was_away_is_found_again(
    client: Elasticsearch, names: Names
) -> None:
    template.ensure(client, names)
    client.indices.delete_index_template(name=names.template)
    month = names.index(MONTH)
    client.create(index=month, id="1", document={"lyhord": {"reach": 5, "channel": "forum"}})
    assert template.ensure(client, names) == (month,)  # "forum" was taken for a text
    assert client.get(index=names.alias, id="1")["found"]
    with pytest.raises(BadRequestError, match="strict_dynamic_mapping"):
        client.create(index=month, id="2", document={"x": 1})


def test_drop_leaves_nothing_and_nothing_of_others_is_touched(client: Elasticsearch, names: Names) -> None:
    other = Names.of(f"{names.address}/{names.prefix}-b")
    for each in (names, other):
        template.ensure(client, each)
        client.create(index=each.index(MONTH), id="1", document={"message": "hej"})
        client.create(index=each.sources, id="1", document={"lyhord": {"channel": "forum"}})
    template.drop(client, names)
    template.drop(client, names)
    left = client.indices.get(index=f"{names.prefix}*")
    assert set(left.body) == {other.index(MONTH), other.sources}
    template.drop(client, other)
    assert not client.indices.get(index=f"{names.prefix}*").body
    for template_name in template.bodies(other, template.ANALYSERS):
        assert not client.indices.exists_index_template(name=template_name)


def test_old_readings_of_sources_are_forgotten(client: Elasticsearch, names: Names) -> None:
    template.ensure(client, names)
    assert template.tidy_reports(client, names, MONTH) == 0
    for minute in range(-3, 3):
        at = MONTH + timedelta(minutes=minute)
        client.create(
            index=names.sources, id=str(minute), document={"@timestamp": at.isoformat()}, refresh=True
        )
    assert template.tidy_reports(client, names, MONTH) == 3
    assert client.count(index=names.sources)["count"] == 3


def refusal(status: int, kind: str) -> ApiError:
    meta = ApiResponseMeta(status, "1.1", HttpHeaders(), 0.1, NodeConfig("http", "h", 1))
    return ApiError(kind, meta, {"error": {"type": kind}})


@pytest.mark.parametrize(
    ("raised", "wanted", "words"),
    [
        (refusal(403, "security_exception"), ConfigError, "lyhord setup elasticsearch"),
        (refusal(401, "security_exception"), ConfigError, "API key"),
        (refusal(403, "cluster_block_exception"), StoreAway, "takes no changes"),
        (refusal(429, "es_rejected_execution_exception"), StoreAway, "too busy"),
        (refusal(503, "no_shard_available_action_exception"), StoreAway, "too busy"),
        (refusal(400, "illegal_argument_exception"), StoreError, "refused"),
        (ConnectionTimeout("slow"), StoreAway, "cannot be reached"),
    ],
)
def test_refusals_are_said_in_words(raised: Exception, wanted: type[Exception], words: str) -> None:
    with pytest.raises(wanted, match=words), template.explained(Names.of("http://h:1")):
        raise raised


def test_a_server_that_is_not_there_is_away() -> None:
    names = Names.of("http://127.0.0.1:9")
    with (
        Elasticsearch(names.address, max_retries=0) as nobody,
        pytest.raises(StoreAway, match=r"127\.0\.0\.1:9"),
    ):
        template.ensure(nobody, names)
