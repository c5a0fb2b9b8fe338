"""What `listener.ports.Archive` promises, held by every archive: storing, clusters, scores, erasing, several processes.
Searching and counting have files of their own. A new archive is one more case in `archive_samples`."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from listener.archive import open_archive
from listener.errors import ConfigError
from listener.mention import Polarity, Signal
from listener.ports import Added, Archive, Where
from listener.query import parse
from tests.contract.archive_samples import (
    DAY,
    EDITED_RELEASE,
    HOUR,
    KINDS,
    NOON,
    RELEASE,
    found,
    identity,
    ids,
    make_mention,
    make_score,
    new_address,
    open_kind,
    score,
)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


@pytest.fixture
def url(kind: str, tmp_path: Path) -> Iterator[str]:
    with new_address(kind, tmp_path) as made:
        yield made


@pytest.fixture
def archive(kind: str, url: str) -> Iterator[Archive]:
    opened = open_kind(kind, url)
    yield opened
    opened.close()


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


def test_reopened_it_holds_what_it_held(kind: str, url: str) -> None:
    first = open_kind(kind, url)
    first.add([make_mention("1", text=RELEASE)])
    first.close()
    second = open_kind(kind, url)
    second.add([make_mention("2", text=EDITED_RELEASE)])
    stored = second.get(identity("2"))
    second.close()
    assert stored
    assert stored.cluster == identity("1")


ADD_MANY = """
import sys
from tests.contract.archive_samples import make_mention, open_kind
archive = open_kind(sys.argv[1], sys.argv[2])
new = 0
for batch in range(10):
    names = [f"shared{batch}-{n}" for n in range(10)] + [f"{sys.argv[3]}-{batch}-{n}" for n in range(10)]
    new += len(archive.add([make_mention(name) for name in names]).new)
archive.close()
print(new)
"""


def test_two_processes_may_add_at_once(kind: str, url: str) -> None:
    running = [
        subprocess.Popen([sys.executable, "-c", ADD_MANY, kind, url, name], stdout=subprocess.PIPE, text=True)
        for name in "ab"
    ]
    new = [int(process.communicate(timeout=60)[0]) for process in running]
    archive = open_kind(kind, url)
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
