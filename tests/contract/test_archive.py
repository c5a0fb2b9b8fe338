"""One suite, every archive: what `listener.ports.Archive` promises. A new archive is one more case in `url`."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from listener.archive import open_archive
from listener.errors import ConfigError, StoreError
from listener.mention import Mention, Polarity, Score, Signal
from listener.ports import Added, Archive, Dimension, Where
from listener.query import And, Document, Field, Near, Node, Not, Or, Phrase, Prefix, Query, Tag, Word, parse
from tests.contract.archive_samples import (
    EDITED_RELEASE,
    HOUR,
    NOON,
    RELEASE,
    identity,
    make_mention,
    make_score,
)

DAY = timedelta(days=1)


@pytest.fixture(params=["sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    assert request.param == "sqlite"
    return f"sqlite:///{tmp_path / 'archive.db'}"


@pytest.fixture
def archive(url: str) -> Iterator[Archive]:
    opened = open_archive(url)
    yield opened
    opened.close()


def score(archive: Archive, mention: Mention, value: Score) -> None:
    assert archive.save_scores({mention.id: (mention.revision, value)}) == 1


def ids(*names: str) -> list[str]:
    return [identity(name) for name in names]


def found(archive: Archive, where: Where) -> set[str]:
    return {mention.id for mention in archive.search(where, limit=10_000)}


# ------------------------------------------------------------------------------------------------ adding


def test_what_is_added_comes_back_whole(archive: Archive) -> None:
    mention = make_mention(
        brands=("fjelltele", "nordfly"),
        thread="17",
        engagement={"likes": 3, "replies": 0},
        published_at=NOON + timedelta(microseconds=123_457),
        text="Hva skjer? «Ingen» dekning 😡\n\n#nedetid @fjelltele '; DROP TABLE mention; --",
    )
    assert archive.add([mention]) == Added((mention.id,), (), ())
    assert archive.get(mention.id) == replace(mention, cluster=mention.id)
    assert archive.get("0" * 32) is None


def test_a_mention_from_before_1970_or_far_ahead_is_no_trouble(archive: Archive) -> None:
    old, new = (
        make_mention("old", published_at=NOON.replace(year=1951)),
        make_mention("new", published_at=NOON.replace(year=2180)),
    )
    archive.add([new, old])
    assert [mention.id for mention in archive.search(Where())] == ids("new", "old")


def test_twice_is_once(archive: Archive) -> None:
    first, second = make_mention("1"), make_mention("2")
    assert archive.add([first]).new == (first.id,)
    again = archive.add([first, second, second])
    assert (again.new, again.edited, again.known) == ((second.id,), (), (first.id,))
    assert archive.total() == 2


def test_adding_nothing_does_nothing(archive: Archive) -> None:
    assert archive.add([]) == Added((), (), ())
    assert archive.total() == 0


def test_an_edited_mention_is_replaced_and_scored_again(archive: Archive) -> None:
    mention = make_mention()
    archive.add([mention])
    score(archive, mention, make_score())
    edited = replace(
        mention, title="Löst", text="Nu fungerar det", brands=("nordfly",), language="nb", author="other"
    )
    assert archive.add([edited]) == Added((), (mention.id,), ())
    stored = archive.get(mention.id)
    assert stored == replace(edited, author=mention.author, cluster=mention.id, score=None)
    assert [each.id for each in archive.unscored(10)] == [mention.id]
    assert found(archive, Where(query=parse("nere"))) == set()
    assert found(archive, Where(query=parse("fungerar"), brand="nordfly")) == {mention.id}
    assert found(archive, Where(brand="fjelltele")) == set()
    assert archive.add([edited]).known == (mention.id,)


def test_an_edited_mention_keeps_its_cluster(archive: Archive) -> None:
    original, copy = (
        make_mention("1", text=RELEASE),
        make_mention("2", text=EDITED_RELEASE, published_at=NOON + HOUR),
    )
    archive.add([original])
    archive.add([copy])
    archive.add([replace(copy, text="Något helt annat som inte liknar det som stod här tidigare i dag")])
    stored = archive.get(copy.id)
    assert stored
    assert (stored.cluster, stored.is_copy) == (original.id, True)


def test_copies_of_an_edited_original_are_known_by_its_new_words(archive: Archive) -> None:
    original = make_mention("1", text="Något helt annat som inte liknar det som står här i dag")
    archive.add([original])
    archive.add([replace(original, text=RELEASE)])
    archive.add([make_mention("2", text=EDITED_RELEASE), make_mention("3", text=original.text)])
    stored = {mention.id: mention.cluster for mention in archive.search(Where())}
    assert stored == {
        identity("1"): identity("1"),
        identity("2"): identity("1"),
        identity("3"): identity("3"),
    }


# ------------------------------------------------------------------------------------------------ clusters


def test_the_first_stored_is_the_original(archive: Archive) -> None:
    later = make_mention("later", text=RELEASE, published_at=NOON + DAY)
    earlier = make_mention("earlier", text=EDITED_RELEASE)
    archive.add([later])
    archive.add([earlier])
    stored = archive.get(earlier.id)
    assert stored
    assert (stored.cluster, stored.is_copy) == (later.id, True)


def test_within_a_batch_the_first_published_is_the_original(archive: Archive) -> None:
    late = make_mention("a", text=RELEASE, published_at=NOON + HOUR)
    early = make_mention("b", text=EDITED_RELEASE)
    archive.add([late, early])
    stored = archive.get(late.id)
    assert stored
    assert (stored.cluster, stored.is_copy) == (early.id, True)


@pytest.mark.parametrize(("days", "is_copy"), [(13.9, True), (14.1, False), (-13.9, True), (-14.1, False)])
@pytest.mark.parametrize("anchor", range(0, 28, 7))
def test_copies_are_looked_for_within_14_days(
    archive: Archive, days: float, is_copy: bool, anchor: int
) -> None:
    at = NOON + timedelta(days=anchor)
    archive.add([make_mention("1", text=RELEASE, published_at=at)])
    archive.add([make_mention("2", text=RELEASE, published_at=at + timedelta(days=days))])
    stored = archive.get(identity("2"))
    assert stored
    assert stored.is_copy is is_copy


@pytest.mark.parametrize("first", [0, 1])
def test_of_several_originals_the_first_stored_is_meant(archive: Archive, first: int) -> None:
    words = RELEASE.split()
    parts = [make_mention("head", text=" ".join(words[:-5])), make_mention("tail", text=" ".join(words[5:]))]
    archive.add([parts[first]])
    archive.add([parts[1 - first]])
    archive.add([make_mention("whole", text=RELEASE)])
    clusters = {mention.id: mention.cluster for mention in archive.search(Where())}
    assert clusters == {
        parts[0].id: parts[0].id,
        parts[1].id: parts[1].id,
        identity("whole"): parts[first].id,
    }


def test_short_and_different_texts_are_no_copies(archive: Archive) -> None:
    archive.add([make_mention(str(number), text="Nere igen!") for number in range(10)])
    archive.add(
        [
            make_mention("x", text=RELEASE),
            make_mention("y", text="Jag har ringt kundtjänst tre gånger nu och ingen vet något"),
        ]
    )
    assert not any(mention.is_copy for mention in archive.search(Where()))


# ------------------------------------------------------------------------------------------------ scores


def test_scores_come_back_whole(archive: Archive) -> None:
    mention = make_mention()
    archive.add([mention])
    score(archive, mention, make_score())
    stored = archive.get(mention.id)
    assert stored
    assert stored.score == make_score()
    score(archive, mention, make_score(model="words-2", why=(), themes=()))
    stored = archive.get(mention.id)
    assert stored
    assert stored.score == make_score(model="words-2", why=(), themes=())


def test_what_comes_with_a_score_is_stored_with_it(archive: Archive) -> None:
    scored, unscored = make_mention("a", score=make_score()), make_mention("b")
    archive.add([scored, unscored])
    assert [mention.id for mention in archive.unscored(10)] == ids("b")
    stored = archive.get(scored.id)
    assert stored
    assert stored.score == make_score()
    assert found(archive, Where(signal=Signal.ANXIETY, theme="price")) == {scored.id}
    calm = make_score(is_anxious=False, themes=(), why=())
    archive.add([replace(scored, text="Nu fungerar det", score=calm)])
    stored = archive.get(scored.id)
    assert stored
    assert stored.score == calm
    assert found(archive, Where(signal=Signal.ANXIETY)) == set()


def test_a_score_of_an_old_revision_or_an_erased_mention_is_passed_over(archive: Archive) -> None:
    mention = make_mention()
    archive.add([mention])
    edited = replace(mention, text="Nu fungerar det")
    archive.add([edited])
    assert (
        archive.save_scores(
            {mention.id: (mention.revision, make_score()), "0" * 32: ("0" * 16, make_score())}
        )
        == 0
    )
    assert archive.save_scores({}) == 0
    stored = archive.get(mention.id)
    assert stored
    assert stored.score is None


def test_unscored_are_the_oldest_stored_first(archive: Archive) -> None:
    archive.add([make_mention("b", published_at=NOON + DAY)])
    archive.add([make_mention("a"), make_mention("c", published_at=NOON + HOUR)])
    assert [mention.id for mention in archive.unscored(2)] == ids("b", "a")
    score(archive, archive.unscored(1)[0], make_score())
    assert [mention.id for mention in archive.unscored(10)] == ids("a", "c")


def test_outdated_are_those_of_another_model_oldest_stored_first(archive: Archive) -> None:
    archive.add([make_mention("b", published_at=NOON + DAY), make_mention("unscored")])
    later = make_mention("c", published_at=NOON + HOUR)
    archive.add([make_mention("a"), later, make_mention("new", score=make_score(model="words-2"))])
    for mention in archive.unscored(9):
        if mention.id != make_mention("unscored").id:
            score(archive, mention, make_score(model="words-1"))
    first, second, third = ids("b", "a", "c")
    assert [mention.id for mention in archive.outdated("words-2", 2)] == [first, second]
    assert [mention.id for mention in archive.outdated("words-2", 2, after=second)] == [third]
    assert [mention.id for mention in archive.outdated("words-1", 9)] == ids("new")
    score(archive, make_mention("a"), make_score(model="words-2"))
    assert [mention.id for mention in archive.outdated("words-2", 9)] == [first, third]


@pytest.mark.parametrize("polarity", list(Polarity))
def test_the_polarity_is_kept(archive: Archive, polarity: Polarity) -> None:
    archive.add([make_mention("a", score=make_score(polarity=polarity))])
    stored = archive.get(make_mention("a").id)
    assert stored
    assert stored.score
    assert stored.score.polarity is polarity


# ------------------------------------------------------------------------------------------------ searching


def test_search_is_newest_first_in_pages_and_ties_are_by_id(archive: Archive) -> None:
    times = [NOON + timedelta(seconds=number // 7, microseconds=number % 3) for number in range(60)]
    archive.add([make_mention(str(number), published_at=at) for number, at in enumerate(times)])
    wanted = sorted(((at, identity(str(number))) for number, at in enumerate(times)), reverse=True)
    for where in (Where(), Where(brand="fjelltele"), Where(query=parse("nätet"))):
        pages: list[tuple[datetime, str]] = []
        before = None
        while page := archive.search(where, limit=4, before=before):
            pages += [(mention.published_at, mention.id) for mention in page]
            before = pages[-1]
        assert pages == wanted
    assert archive.search(Where(), limit=0) == []


def test_filters(archive: Archive) -> None:
    plain = make_mention("1")
    other = make_mention(
        "2", source="s2", channel="social", language="nb", brands=("nordfly",), published_at=NOON + HOUR
    )
    copy = make_mention("3", text=RELEASE, published_at=NOON + 2 * HOUR)
    archive.add([plain, other, make_mention("0", text=RELEASE, published_at=NOON + HOUR), copy])
    score(archive, other, make_score())
    cases = [
        (Where(brand="nordfly"), {"2"}),
        (Where(brand="unknown"), set()),
        (Where(channel="social"), {"2"}),
        (Where(language="nb"), {"2"}),
        (Where(source="s2"), {"2"}),
        (Where(theme="price"), {"2"}),
        (Where(theme="delivery"), set()),
        (Where(theme="unknown"), set()),
        (Where(signal=Signal.ANXIETY), {"2"}),
        (Where(signal=Signal.NEGATIVE), {"2"}),
        (Where(signal=Signal.COMPLAINTS), set()),
        (Where(signal=Signal.VOLUME), {"0", "1", "2", "3"}),
        (Where(originals=True), {"0", "1", "2"}),
        (Where(start=NOON + HOUR), {"0", "2", "3"}),
        (Where(end=NOON + HOUR), {"1"}),
        (
            Where(start=NOON + timedelta(microseconds=1), end=NOON + HOUR + timedelta(microseconds=1)),
            {"0", "2"},
        ),
        (Where(brand="fjelltele", query=parse("norrland"), originals=True), {"0"}),
        (Where(brand="nordfly", query=parse("norrland")), set()),
    ]
    for where, names in cases:
        assert found(archive, where) == {identity(name) for name in names}, where


@pytest.mark.parametrize(
    "text", ['"', 'a" OR "ab', "NEAR(", "title", "ab*", "'; --", "^", "{title}", "a b", "-ab", "*", ":"]
)
def test_the_syntax_of_the_index_is_only_text(archive: Archive, text: str) -> None:
    archive.add([make_mention(text="ab and or near title")])
    for node in (
        Word(text),
        Phrase((text, text)),
        Near(Word(text), Word("ab"), 2),
        Tag(f"#{text}"),
        Field("site", text),
    ):
        query = Query(text, node)
        assert found(archive, Where(query=query)) <= {identity("1")}
        assert found(archive, Where(query=Query(text, Not(node)))) == {identity("1")} - found(
            archive, Where(query=query)
        )


def test_fields_are_compared_without_regard_to_case(archive: Archive) -> None:
    archive.add(
        [
            make_mention(
                source="Forum Åre", channel="Forum", language="SV", url="https://WWW.Forum.Example.se./t"
            )
        ]
    )
    for text in ('source:"forum åre"', "channel:FORUM", "lang:sv", "site:forum.example.se"):
        assert found(archive, Where(query=parse(text))) == {identity("1")}, text
    assert found(archive, Where(query=parse("site:rum.example.se"))) == set()


def test_the_index_cuts_words_where_we_do(archive: Archive) -> None:
    archive.add([make_mention(text="x_y 12½ #å_b ça")])
    assert found(archive, Where(query=parse("x_y #å_b ça"))) == {identity("1")}
    for part in ("x", "y", "b", "å", "#å", "a"):
        assert found(archive, Where(query=Query(part, Tag(part) if part[0] == "#" else Word(part)))) == set()


def test_words_that_are_operators_elsewhere_are_found(archive: Archive) -> None:
    archive.add([make_mention(text="ab and or near title")])
    assert found(archive, Where(query=parse('"and or near" title'))) == {identity("1")}


def _tower(leaf: Node, height: int, *, field: bool) -> Node:
    """Alternating AND and OR that `leaf` alone decides."""
    node = leaf
    for number in range(height):
        true = Not(Word(f"x{number}")) if field else Word("två")
        node = Or((Word(f"y{number}"), node)) if number % 2 else And((node, true))
    return node


@pytest.mark.parametrize(
    "node",
    [
        _tower(Word("ett"), 49, field=False),
        _tower(Word("ett"), 49, field=True),
        _tower(Field("lang", "sv"), 49, field=True),
        And((Word("ett"), *(Not(Word(f"x{number}")) for number in range(1400)))),
        And((Word("ett"), *(Not(Field("lang", f"x{number}")) for number in range(450)))),
        Or((Word("ett"), *(Field("lang", f"x{number}") for number in range(450)))),
        Or((*(Word(f"x{number}") for number in range(1900)), Word("ett"))),
        Near(Or(tuple(Word(f"z{number}") for number in range(30))), Word("ett"), 3),
    ],
)
def test_deep_and_long_queries_are_answered(archive: Archive, node: Node) -> None:
    archive.add([make_mention(text="ett två z7"), make_mention("2", text="fyra fem sex", language="nb")])
    assert found(archive, Where(query=Query("", node))) == {identity("1")}


def test_too_many_alternatives_beside_near_are_refused_in_words(archive: Archive) -> None:
    many = Or(tuple(Word(f"x{number}") for number in range(40)))
    with pytest.raises(StoreError, match="want at most"):
        archive.search(Where(query=Query("", Near(many, many, 3))))


# ------------------------------------------------------------------------------------------------ counting


def test_counts_are_voices_by_bucket_and_signal(archive: Archive) -> None:
    mentions = [
        make_mention("1", author="a"),
        make_mention("2", author="a", published_at=NOON + HOUR - timedelta(microseconds=1)),
        make_mention("3", author="", published_at=NOON + HOUR),
        make_mention("4", author="", published_at=NOON + HOUR),
        make_mention("5", author="a", published_at=NOON + HOUR),
        make_mention("6", author="b", published_at=NOON + 3 * HOUR),
        make_mention("7", author="c", published_at=NOON - timedelta(microseconds=1)),
        make_mention("8", author="d"),
    ]
    archive.add(mentions)
    score(archive, mentions[1], make_score())
    score(archive, mentions[2], make_score(is_complaint=True, is_anxious=False))
    asked = (Signal.VOLUME, Signal.ANXIETY, Signal.COMPLAINTS, Signal.NEGATIVE)
    counted = archive.counts(Where(brand="fjelltele"), asked, start=NOON, end=NOON + 3 * HOUR, bucket=HOUR)
    assert counted == {
        Signal.VOLUME: [2, 3, 0],
        Signal.ANXIETY: [1, 0, 0],
        Signal.COMPLAINTS: [0, 1, 0],
        Signal.NEGATIVE: [1, 1, 0],
    }
    narrow = Where(start=NOON + HOUR, end=NOON + 3 * HOUR, query=parse("nätet"))
    assert archive.counts(narrow, [Signal.VOLUME], start=NOON, end=NOON + 4 * HOUR, bucket=2 * HOUR) == {
        Signal.VOLUME: [3, 0]
    }


def test_copies_are_not_counted(archive: Archive) -> None:
    archive.add([make_mention(str(number), text=RELEASE) for number in range(5)])
    assert archive.counts(Where(), [Signal.VOLUME], start=NOON, end=NOON + HOUR, bucket=HOUR) == {
        Signal.VOLUME: [1]
    }
    assert archive.breakdown(Where(), Dimension.CHANNEL) == {"forum": 1}


def test_counts_want_whole_buckets(archive: Archive) -> None:
    with pytest.raises(ValueError, match="whole number of buckets"):
        archive.counts(Where(), [Signal.VOLUME], start=NOON, end=NOON + 1.5 * HOUR, bucket=HOUR)
    assert archive.counts(Where(), [Signal.VOLUME], start=NOON, end=NOON, bucket=HOUR) == {Signal.VOLUME: []}


def test_breakdown_is_largest_first(archive: Archive) -> None:
    mentions = [
        make_mention("1", author="a", channel="social", source="x"),
        make_mention("2", author="a", channel="social", language="nb"),
        make_mention("3", author="b", channel="review", language="nb"),
        make_mention("4", author="", channel="review", language="fi"),
    ]
    archive.add(mentions)
    score(archive, mentions[0], make_score(themes=("delivery", "price")))
    score(archive, mentions[2], make_score(themes=("price",)))
    assert list(archive.breakdown(Where(), Dimension.CHANNEL).items()) == [("review", 2), ("social", 1)]
    assert list(archive.breakdown(Where(), Dimension.LANGUAGE).items()) == [("nb", 2), ("fi", 1), ("sv", 1)]
    assert list(archive.breakdown(Where(), Dimension.THEME).items()) == [("price", 2), ("delivery", 1)]
    assert list(archive.breakdown(Where(channel="social"), Dimension.SOURCE).items()) == [
        ("forum-a", 1),
        ("x", 1),
    ]


def test_known_authors_are_those_of_whom_something_is_found(archive: Archive) -> None:
    archive.add(
        [
            make_mention("1", author="a"),
            make_mention("2", author="b", published_at=NOON - DAY),
            make_mention("3", author="c", brands=("nordfly",)),
            make_mention("4", author=""),
            make_mention("5", author="d", text=RELEASE),
            make_mention("6", author="e", text=RELEASE, published_at=NOON + HOUR),
            make_mention("7", author="f", published_at=NOON + DAY),
        ]
    )
    asked = ["a", "a", "b", "c", "d", "e", "f", "'; --", ""]
    span = Where(brand="fjelltele", start=NOON, end=NOON + DAY)
    assert archive.known_authors(span, asked) == {"a", "d", "e"}, "whoever only copied was heard, too"
    assert archive.known_authors(replace(span, query=parse("nere")), asked) == {"a"}
    assert archive.known_authors(Where(), asked) == {"a", "b", "c", "d", "e", "f"}
    assert archive.known_authors(Where(), [str(number) for number in range(40_000)]) == frozenset()
    assert archive.known_authors(Where(), []) == archive.known_authors(Where(), [""]) == frozenset()


# ------------------------------------------------------------------------------------------------ erasing


def test_erased_is_gone_everywhere(archive: Archive) -> None:
    mention = make_mention(thread="7")
    archive.add([mention, make_mention("2")])
    score(archive, mention, make_score())
    assert archive.erase([mention.id, "0" * 32]) == 1
    assert archive.get(mention.id) is None
    assert found(archive, Where()) == found(archive, Where(query=parse("nätet"))) == {identity("2")}
    assert archive.ids_of_thread("forum-a", "7") == frozenset()
    assert archive.erase([mention.id]) == archive.erase([]) == 0
    assert archive.add([mention]).new == (mention.id,)
    stored = archive.get(mention.id)
    assert stored
    assert stored.score is None


def test_when_an_original_goes_its_oldest_copy_is_the_original(archive: Archive) -> None:
    for number in range(4):
        archive.add([make_mention(str(number), text=RELEASE, published_at=NOON + (9 - number) * HOUR)])
    archive.erase(ids("0"))
    stored = {mention.id: (mention.cluster, mention.is_copy) for mention in archive.search(Where())}
    heir = identity("1")
    assert stored == {heir: (heir, False), identity("2"): (heir, True), identity("3"): (heir, True)}
    archive.add([make_mention("4", text=EDITED_RELEASE)])
    assert {mention.cluster for mention in archive.search(Where())} == {heir}
    archive.erase(ids("1", "2"))
    stored = {mention.id: (mention.cluster, mention.is_copy) for mention in archive.search(Where())}
    heir = identity("3")
    assert stored == {heir: (heir, False), identity("4"): (heir, True)}


def test_erase_author_takes_one_author_and_never_the_unknown(archive: Archive) -> None:
    archive.add([make_mention("1", author="a"), make_mention("2", author="a"), make_mention("3", author="")])
    assert archive.erase_author("") == 0
    assert archive.erase_author("a") == 2
    assert found(archive, Where()) == {identity("3")}


def test_expired_are_those_whose_retention_ended(archive: Archive) -> None:
    archive.add([make_mention(str(number), retention_until=NOON + number * DAY) for number in range(4)])
    assert set(archive.expired(NOON + 2 * DAY)) == set(ids("0", "1", "2"))
    assert len(archive.expired(NOON + 2 * DAY, limit=2)) == 2


def test_held_and_threads(archive: Archive) -> None:
    archive.add(
        [make_mention("1", thread="7"), make_mention("2", thread="7", source="s2"), make_mention("3")]
    )
    assert archive.held([*ids("1", "3"), "0" * 32]) == frozenset(ids("1", "3"))
    assert archive.ids_of_thread("forum-a", "7") == frozenset(ids("1"))
    assert archive.ids_of_thread("forum-a", "") == frozenset()


# ------------------------------------------------------------------------------------------------ processes


def test_reopened_it_holds_what_it_held(url: str) -> None:
    first = open_archive(url)
    first.add([make_mention("1", text=RELEASE)])
    first.close()
    second = open_archive(url)
    second.add([make_mention("2", text=EDITED_RELEASE)])
    stored = second.get(identity("2"))
    second.close()
    assert stored
    assert stored.cluster == identity("1")


ADD_MANY = """
import sys
from listener.archive import open_archive
from tests.contract.archive_samples import make_mention
archive = open_archive(sys.argv[1])
new = 0
for batch in range(10):
    names = [f"shared{batch}-{n}" for n in range(10)] + [f"{sys.argv[2]}-{batch}-{n}" for n in range(10)]
    new += len(archive.add([make_mention(name) for name in names]).new)
archive.close()
print(new)
"""


def test_two_processes_may_add_at_once(url: str) -> None:
    running = [
        subprocess.Popen([sys.executable, "-c", ADD_MANY, url, name], stdout=subprocess.PIPE, text=True)
        for name in "ab"
    ]
    new = [int(process.communicate(timeout=60)[0]) for process in running]
    archive = open_archive(url)
    assert archive.total() == sum(new) == 300
    archive.close()


def test_threads_may_share_it(archive: Archive) -> None:
    def work(name: int) -> int:
        added = archive.add([make_mention(f"{name}-{number}") for number in range(20)])
        return len(added.new) + len(archive.search(Where(query=parse("nätet")), limit=1))

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(work, range(8))) == 8 * 21
    assert archive.total() == 160


@pytest.mark.parametrize(
    "bad", ["", "archive.db", "sqlite://", "sqlite:///", "sqlite:///:memory:", "mysql://u:secret@h/x"]
)
def test_an_address_that_is_none_is_refused(bad: str) -> None:
    with pytest.raises(ConfigError, match="want sqlite:///") as caught:
        open_archive(bad)
    assert "secret" not in str(caught.value)


# ------------------------------------------------------------------------------------------------ one meaning

ALPHABET = ("ab", "abc", "bc", "åb", "æ1", "x_y", "y")
WORDS = st.sampled_from(ALPHABET)
TEXTS = st.lists(
    st.sampled_from([*ALPHABET, "#ab", "@bc", "AB", "ab's", "e-ab", ".", "#åb"]), min_size=1, max_size=9
).map(" ".join)
PLACES = st.one_of(
    WORDS.map(Word),
    st.sampled_from(["ab", "x_", "åb"]).map(Prefix),
    st.builds(Phrase, st.lists(WORDS, min_size=2, max_size=3).map(tuple), st.booleans()),
)
OPERANDS = st.one_of(PLACES, st.lists(PLACES, min_size=2, max_size=3).map(lambda places: Or(tuple(places))))
LEAVES: st.SearchStrategy[Node] = st.one_of(
    PLACES,
    st.sampled_from(["#ab", "@bc", "#åb", "#bc"]).map(Tag),
    st.builds(Near, OPERANDS, OPERANDS, st.integers(0, 3)),
    st.builds(Field, st.just("site"), st.sampled_from(["example.se", "forum.example.se", "ample.se"])),
    st.builds(
        Field,
        st.sampled_from(["channel", "lang", "source"]),
        st.sampled_from(["forum", "social", "sv", "nb", "forum-a"]),
    ),
    st.builds(Field, st.just("author"), st.sampled_from(["a1", "a2"])),
)


def _branches(children: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    several = st.lists(children, min_size=2, max_size=3).map(tuple)
    return st.one_of(several.map(And), several.map(Or), children.map(Not))


NODES = st.recursive(LEAVES, _branches, max_leaves=8)
DRAFTS = st.tuples(
    TEXTS,
    TEXTS,
    st.sampled_from(["a1", "a2", ""]),
    st.sampled_from(["forum", "social"]),
    st.sampled_from(["sv", "nb"]),
    st.sampled_from(["https://forum.example.se/t", "http://EXAMPLE.se:80/x", "https://badexample.se"]),
)


def _document(mention: Mention) -> Document:
    return Document.of(
        title=mention.title,
        text=mention.text,
        author=mention.author,
        site=mention.url.split("/")[2].split(":")[0],
        channel=mention.channel,
        language=mention.language,
        source=mention.source,
    )


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drafts=st.lists(DRAFTS, min_size=5, max_size=15), nodes=st.lists(NODES, min_size=8, max_size=12))
def test_search_finds_what_the_query_matches(
    tmp_path_factory: pytest.TempPathFactory, drafts: list[tuple[str, ...]], nodes: list[Node]
) -> None:
    archive = open_archive(f"sqlite:///{tmp_path_factory.mktemp('same') / 'archive.db'}")
    mentions = [
        make_mention(
            str(number), title=title, text=text, author=author, channel=channel, language=language, url=url
        )
        for number, (title, text, author, channel, language, url) in enumerate(drafts)
    ]
    archive.add(mentions)
    for node in nodes:
        query = Query(str(node), node)
        wanted = {mention.id for mention in mentions if query.matches(_document(mention))}
        assert found(archive, Where(query=query)) == wanted, str(query)
        assert found(archive, Where(query=query, brand="fjelltele")) == wanted, str(query)
    archive.close()
