"""What a rule follows, over a real archive: five days of calm, and what comes next."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts.follow import BUCKET, HISTORY, Alarm, Follower, Hearing, Key, keys_of, note_key
from listener.archive import open_archive
from listener.config import Brand, Config, Event, Rule, Source
from listener.errors import StoreAway
from listener.mention import Mention, Signal
from listener.ports import Archive, Dimension
from tests.alerts.fakes import AwayArchive
from tests.contract.archive_samples import make_mention, make_score

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
DAYS = 5
BRAND = Brand(id="fjelltele", name="Fjelltele", queries=("fjelltele",), languages=("sv", "nb"))
RULE = Rule(id="oro", brand="fjelltele", signals=("anxiety", "volume"), by=("channel",), minimum_voices=5)
SOURCES = tuple(
    Source(id=name, kind="discourse", address=f"https://{name}.example.se", channel=channel)
    for name, channel in (("forum-a", "forum"), ("inkorg", "inbox"))
)
CONFIG = Config(brands=(BRAND,), rules=(RULE,), sources=SOURCES)
ALL_HEARD = Hearing()


class Kept:
    """Notes in memory."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def note(self, key: str, value: str) -> None:
        self.values[key] = value

    def noted(self, key: str) -> str:
        return self.values.get(key, "")


def said(name: str, at: datetime, text: str = "", *, anxious: bool = False, **changes: object) -> Mention:
    words = text or " ".join(f"{name}{i}ord" for i in range(12))
    mention = make_mention(
        name, text=words, published_at=at, fetched_at=at, retention_until=at + 900 * DAY, **changes
    )
    return replace(mention, score=make_score(is_anxious=anxious, anxiety=0.9 if anxious else 0.1))


def store(archive: Archive, mentions: list[Mention]) -> None:
    archive.add([replace(mention, score=None) for mention in mentions])
    archive.save_scores({m.id: (m.revision, m.score) for m in mentions if m.score})


def background() -> list[Mention]:
    """Six voices an hour, a third of them anxious; every fourth in the inbox."""
    random, mentions = np.random.default_rng(1), []
    for bucket in range(DAYS * 96):
        start = NOW - DAYS * DAY + bucket * BUCKET
        for i in range(random.poisson(1.5)):
            inbox = bool(random.random() < 0.25)
            mentions.append(
                said(
                    f"b{bucket}x{i}",
                    start + random.random() * BUCKET,
                    anxious=bool(random.random() < 1 / 3),
                    source="inkorg" if inbox else "forum-a",
                    channel="inbox" if inbox else "forum",
                )
            )
    return mentions


def follower(
    archive: Archive, *, hearing: Hearing = ALL_HEARD, config: Config = CONFIG, rule: Rule = RULE
) -> Follower:
    return Follower(rule, BRAND, config, archive, hearing, NOW - HISTORY)


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """Up to NOW; read only."""
    opened = open_archive(f"sqlite:///{tmp_path_factory.mktemp('archive') / 'archive.db'}")
    store(opened, background())
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def notes(calm: Archive) -> Kept:
    """What a follower had learnt when it came to NOW."""
    kept, first = Kept(), follower(calm)
    first.advance(NOW)
    first.save(kept)
    return kept


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Callable[[list[Mention]], Archive]]:
    """Archives of their own, for what comes after NOW: what was before is in the notes."""
    opened: list[Archive] = []

    def opener(mentions: list[Mention]) -> Archive:
        opened.append(open_archive(f"sqlite:///{tmp_path / f'{len(opened)}.db'}"))
        store(opened[-1], mentions)
        return opened[-1]

    yield opener
    for archive in opened:
        archive.close()


def resumed(
    archive: Archive, notes: Kept, *, hearing: Hearing = ALL_HEARD, config: Config = CONFIG
) -> Follower:
    own = follower(archive, hearing=hearing, config=config)
    assert own.resume(notes)
    return own


def burst(voices: int, *, each: timedelta = timedelta(seconds=20)) -> list[Mention]:
    return [said(f"s{i}", NOW + i * each, anxious=True) for i in range(voices)]


def alarming(alarms: list[Alarm]) -> set[Key]:
    return {alarm.key for alarm in alarms if alarm.alarm}


def test_what_is_usual_is_learnt(calm: Archive, notes: Kept) -> None:
    own = resumed(calm, notes)
    assert own.at == NOW
    for signal, mean in ((Signal.VOLUME, 6), (Signal.ANXIETY, 2)):
        hour, dispersion = own.usual(signal, NOW, HOUR)
        assert hour == pytest.approx(mean, rel=0.4)
        assert dispersion >= 1
        assert own.usual(signal, NOW, BUCKET)[0] == pytest.approx(hour / 4, rel=0.15)
        assert own.new_normal(signal) == (0.0, None)
    assert own.usual_share(Signal.ANXIETY) == pytest.approx(1 / 3, rel=0.3)
    assert own.usual_share(Signal.VOLUME) is None
    assert own.coverage(()) == 1.0
    assert not alarming(own.alarms())


def test_a_burst_alarms_in_its_signal_and_in_its_channel(
    notes: Kept, fresh: Callable[[list[Mention]], Archive]
) -> None:
    own = resumed(fresh(burst(40)), notes)
    own.advance(NOW + BUCKET)
    alarms = own.alarms()
    assert alarms[0].alarm
    assert alarms[0].seen == pytest.approx(40)
    assert Key(Signal.ANXIETY) in alarming(alarms)
    assert Key(Signal.ANXIETY, Dimension.CHANNEL, "forum") in alarming(alarms)
    assert Key(Signal.ANXIETY, Dimension.CHANNEL, "inbox") not in alarming(alarms)
    told = [alarm.alarm for alarm in alarms]
    assert told == sorted(told, reverse=True), "what alarms comes first"
    own.advance(NOW + 2 * HOUR)
    assert not alarming(own.alarms()), "an alarm counts for an hour"


def test_fewer_than_the_minimum_never_alarm(notes: Kept, fresh: Callable[[list[Mention]], Archive]) -> None:
    archive = fresh(burst(20))
    cautious = replace(RULE, minimum_voices=21)
    own = follower(archive, rule=cautious)
    assert own.resume(notes)
    own.advance(NOW + BUCKET)
    assert own.alarms()[0].score > 0
    assert not alarming(own.alarms())


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations(range(12)), st.permutations(range(12)))
def test_the_order_of_posts_in_a_bucket_does_not_matter(
    notes: Kept, fresh: Callable[[list[Mention]], Archive], stored: list[int], written: list[int]
) -> None:
    """Neither that in which they are stored nor that in which they were written."""
    times = [NOW + (i + 0.5) * BUCKET / 12 for i in range(12)]
    plain = [said(f"p{i}", times[i], anxious=i % 3 == 0) for i in range(12)]
    mixed = [replace(plain[i], published_at=times[written[i]]) for i in stored]
    answers = []
    for mentions in (plain, mixed):
        own = resumed(fresh(mentions), notes)
        own.advance(NOW + BUCKET)
        answers.append((own.alarms(), own.usual(Signal.ANXIETY, NOW, HOUR)))
    assert answers[0] == answers[1]


def test_copies_and_one_author_s_flood_are_no_more_voices(
    notes: Kept, fresh: Callable[[list[Mention]], Archive]
) -> None:
    text = "Fjelltele har dragit pengar två gånger från mitt konto i natt och ingen svarar i kundtjänsten nu på morgonen"
    first = said("first", NOW, text, anxious=True)
    copies = [said(f"copy{i}", NOW + i * timedelta(seconds=9), text, anxious=True) for i in range(1, 30)]
    flood = [replace(m, author=first.author) for m in burst(30)]
    found = []
    for mentions in ([first], [first, *copies], [first, *flood]):
        own = resumed(fresh(mentions), notes)
        own.advance(NOW + BUCKET)
        found.append(own.alarms())
    assert found[0] == found[1] == found[2]


def test_a_part_of_a_bucket_is_judged_as_a_part(
    notes: Kept, fresh: Callable[[list[Mention]], Archive]
) -> None:
    own = resumed(fresh(burst(30, each=timedelta(seconds=9))), notes)
    own.advance(NOW + BUCKET / 3)
    assert own.at == NOW + BUCKET / 3
    assert Key(Signal.ANXIETY) in alarming(own.alarms())
    first = next(alarm for alarm in own.alarms() if alarm.key == Key(Signal.ANXIETY))
    assert first.seen == 30


def test_a_damped_hour_expects_more_but_hides_nothing(
    notes: Kept, fresh: Callable[[list[Mention]], Archive]
) -> None:
    release = Event(title="Release", start=NOW - HOUR, end=NOW + DAY, effect="damp", damp=15.0)
    damped = replace(CONFIG, calendar=(release,))
    answers = {}
    for voices in (30, 600):
        archive = fresh(burst(voices, each=timedelta(seconds=1)))
        for config in (CONFIG, damped):
            own = resumed(archive, notes, config=config)
            own.advance(NOW + BUCKET)
            answers[voices, config is damped] = Key(Signal.VOLUME) in alarming(own.alarms())
    assert answers == {(30, False): True, (30, True): False, (600, False): True, (600, True): True}
    calm, raised = (
        resumed(archive, notes, config=c).usual(Signal.VOLUME, NOW, HOUR)[0] for c in (CONFIG, damped)
    )
    assert raised == pytest.approx(15 * calm)


# ------------------------------------------------------------------------------------------ who is heard


USUAL = {"forum-a": 75, "inkorg": 25}


def test_coverage_is_by_voices() -> None:
    hearing = Hearing(until={"forum-a": NOW}, usual=USUAL)
    assert hearing.coverage(NOW - BUCKET, NOW) == 1.0
    assert hearing.coverage(NOW, NOW + BUCKET) == 0.25
    assert hearing.coverage(NOW, NOW + BUCKET, "forum-a") == 0.0
    assert hearing.coverage(NOW, NOW + BUCKET, "inkorg") == 1.0
    assert hearing.coverage(NOW - BUCKET, NOW + BUCKET, "forum-a") == 0.5, "read in between"
    assert hearing.coverage(NOW - BUCKET, NOW + BUCKET) == pytest.approx(0.625)
    assert Hearing(until={"forum-a": NOW}).coverage(NOW, NOW + DAY) == 1.0
    assert (hearing.without(["forum-a"]), hearing.without(["other"])) == (0.25, 1.0)


@given(
    st.dictionaries(st.sampled_from("abc"), st.integers(0, 99)),
    st.dictionaries(st.sampled_from("abcd"), st.integers(-9, 9)),
)
def test_coverage_is_a_share_and_only_falls(usual: dict[str, int], until: dict[str, int]) -> None:
    hearing = Hearing(until={name: NOW + n * HOUR for name, n in until.items()}, usual=usual)
    found = [hearing.coverage(NOW + n * HOUR, NOW + (n + 2) * HOUR) for n in range(-12, 11)]
    assert all(0 <= share <= 1 for share in found)
    assert all(later <= sooner + 1e-12 for sooner, later in pairwise(found))


def test_who_is_away_is_not_expected(notes: Kept, fresh: Callable[[list[Mention]], Archive]) -> None:
    hearing = Hearing(until={"forum-a": NOW}, usual=USUAL)
    own = resumed(fresh([]), notes, hearing=hearing)
    whole = resumed(fresh([]), notes).usual(Signal.VOLUME, NOW + HOUR, HOUR)[0]
    assert own.usual(Signal.VOLUME, NOW + HOUR, HOUR)[0] == pytest.approx(whole / 4)
    own.advance(NOW + 30 * HOUR)
    assert own.coverage(["forum-a"]) == 0.25
    assert own.new_normal(Signal.VOLUME) == (0.0, None)
    assert not alarming(own.alarms())


def test_an_outage_and_what_is_filled_in_after_it_do_not_alarm(
    notes: Kept, fresh: Callable[[list[Mention]], Archive]
) -> None:
    """Nobody was heard for three hours; then their posts come with the first bucket."""
    late = NOW + 3 * HOUR
    backfilled = [said(f"l{i}", late + i * timedelta(seconds=30), anxious=i % 3 == 0) for i in range(20)]
    own = resumed(fresh(backfilled), notes, hearing=Away(until=late))
    for _ in range(16):
        own.advance(own.at + BUCKET)
        assert not alarming(own.alarms())


class Away(Hearing):
    """Nobody is heard before `until`, everybody after."""

    def __init__(self, until: datetime) -> None:
        super().__init__(usual=USUAL)
        object.__setattr__(self, "until", {"back": until})

    def coverage(self, start: datetime, end: datetime, source: str = "") -> float:
        return float(end > self.until["back"])


def test_before_the_first_mention_nothing_is_learnt(fresh: Callable[[list[Mention]], Archive]) -> None:
    own = follower(fresh(burst(40)))
    own.advance(NOW + HOUR)
    assert own.at == NOW + HOUR
    assert not alarming(own.alarms()), "what begins is not yet known"
    nothing = follower(fresh([]))
    nothing.advance(NOW)
    assert nothing.alarms() == []
    assert nothing.usual_share(Signal.ANXIETY) is None


# ------------------------------------------------------------------------------------------ series, notes


def test_the_series_of_a_rule() -> None:
    rule = replace(RULE, by=("channel", "language", "theme", "source"))
    keys = keys_of(rule, BRAND, CONFIG)
    assert keys[:3] == (Key(Signal.ANXIETY), Key(Signal.VOLUME), Key(Signal.ANXIETY, share=True))
    assert len(set(keys)) == len(keys)
    assert Key(Signal.VOLUME, Dimension.CHANNEL, "inbox") in keys
    assert {key.value for key in keys if key.dimension is Dimension.LANGUAGE} == {"sv", "nb"}
    assert {key.value for key in keys if key.dimension is Dimension.SOURCE} == {"forum-a", "inkorg"}
    assert keys == keys_of(rule, BRAND, replace(CONFIG, sources=SOURCES[::-1]))


def test_more_series_do_not_make_more_alarms(
    calm: Archive, notes: Kept, fresh: Callable[[list[Mention]], Archive]
) -> None:
    """They share one budget: each must be rarer."""
    alone = follower(calm, rule=replace(RULE, by=()))
    alone.advance(NOW)
    kept = Kept()
    alone.save(kept)
    archive, score = fresh(burst(12)), {}
    for by in ((), ("channel",)):
        own = follower(archive, rule=replace(RULE, by=by))
        assert own.resume(notes if by else kept)
        own.advance(NOW + BUCKET)
        score[by] = next(alarm.score for alarm in own.alarms() if alarm.key == Key(Signal.ANXIETY))
    assert score["channel",] == pytest.approx(score[()] - np.log10(2), abs=1e-6)


def test_what_was_saved_midway_gives_the_same(notes: Kept, fresh: Callable[[list[Mention]], Archive]) -> None:
    archive = fresh(burst(30))
    unbroken, restarted, kept = resumed(archive, notes), resumed(archive, notes), Kept()
    unbroken.advance(NOW + 3 * HOUR)
    restarted.advance(NOW + HOUR)
    restarted.save(kept)
    restarted = resumed(archive, kept)
    assert restarted.at == NOW + HOUR
    restarted.advance(NOW + 3 * HOUR)
    assert unbroken.alarms() == restarted.alarms()
    assert unbroken.usual(Signal.ANXIETY, NOW, HOUR) == restarted.usual(Signal.ANXIETY, NOW, HOUR)


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda saved: "", id="nothing"),
        pytest.param(lambda saved: "[]", id="no table"),
        pytest.param(lambda saved: saved[:-20], id="truncated"),
        pytest.param(
            lambda saved: saved.replace('"detector": "', '"detector": "AAAA'), id="a spoilt detector"
        ),
        pytest.param(lambda saved: saved[:-402] + '"}', id="a truncated detector"),
        pytest.param(lambda saved: saved.replace('"at": "2026', '"at": "2025'), id="too old"),
        pytest.param(lambda saved: saved.replace('+00:00"', '"'), id="a time without a zone"),
    ],
)
def test_notes_that_cannot_be_used_are_passed_over(
    calm: Archive, notes: Kept, spoil: Callable[[str], str]
) -> None:
    spoilt = Kept()
    spoilt.note(note_key(RULE), spoil(notes.noted(note_key(RULE))))
    own = follower(calm)
    assert not own.resume(spoilt)
    assert own.at == NOW - HISTORY


@pytest.mark.parametrize(
    ("rule", "config"),
    [
        pytest.param(replace(RULE, by=("theme",)), CONFIG, id="other parts"),
        pytest.param(replace(RULE, signals=("anxiety", "complaints")), CONFIG, id="other signals"),
        pytest.param(replace(RULE, filter="faktura"), CONFIG, id="another filter"),
        pytest.param(RULE, replace(CONFIG, zone="UTC"), id="another zone"),
        pytest.param(RULE, replace(CONFIG, sources=SOURCES[:1]), id="another source"),
    ],
)
def test_what_was_learnt_of_other_series_is_not_used(
    calm: Archive, notes: Kept, rule: Rule, config: Config
) -> None:
    assert not follower(calm, rule=rule, config=config).resume(notes)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(learnt=st.integers(0, 60), further=st.integers(1, 30), away=st.integers(-12, 60))
def test_while_the_archive_is_away_nothing_is_learnt_that_it_cannot_know(
    calm: Archive, learnt: int, further: int, away: int
) -> None:
    """A follower that has come to what is known goes on as if nothing had happened; another stops where it is. Hours."""
    archive = AwayArchive(calm)
    start = NOW - (120 - learnt) * HOUR
    own = Follower(RULE, BRAND, CONFIG, cast(Archive, archive), ALL_HEARD, start)
    other = Follower(RULE, BRAND, CONFIG, calm, ALL_HEARD, start)
    own.advance(start + HOUR)
    other.advance(start + HOUR)
    archive.go(start + AwayArchive.KEPT + away * HOUR)
    known = archive.away()
    assert known is not None
    if own.at >= known.known_from:
        own.advance(own.at + further * HOUR)
        other.advance(other.at + further * HOUR)
    else:
        with pytest.raises(StoreAway, match=r"rule oro: what was learnt ends at 2026-03-\d\d \d\d:00 UTC"):
            own.advance(own.at + further * HOUR)
    assert own.at == other.at
    saved, wanted = Kept(), Kept()
    own.save(saved)
    other.save(wanted)
    assert saved.values == wanted.values


@pytest.mark.parametrize("questions", range(2))
def test_an_archive_that_goes_away_while_it_is_asked_teaches_nothing(calm: Archive, questions: int) -> None:
    archive = AwayArchive(calm)
    own = follower(cast(Archive, archive))
    archive.goes_after = (questions, NOW)
    with pytest.raises(StoreAway):
        own.advance(NOW)
    assert own.at == NOW - HISTORY
