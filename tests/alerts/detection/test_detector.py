"""The streaming detector: what must hold whatever the numbers are."""

import io
from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from alerts.detection.calibration import threshold
from alerts.detection.detector import HOUR, Detector, Reading, windows
from alerts.detection.series import hour_of_week
from tests.alerts.detection.simulated import WEEK, Floats, drawn, means, rhythm, scores, ticked

ZONE = ZoneInfo("Europe/Stockholm")
FIVE_MINUTES = timedelta(minutes=5)
PER_HOUR = (0.3, 2.0, 6.0, 30.0, 200.0)
SHARE = 0.25
DAYS = 10
"""For which the series of `learnt` were heard: one for each of PER_HOUR, and the share of the last but one."""
SERIES = len(PER_HOUR) + 1


@pytest.fixture(scope="module")
def learnt() -> bytes:
    counts = drawn(np.random.default_rng(1), means(DAYS, *PER_HOUR), 1.3)
    volume = counts[:, -2]
    share = np.random.default_rng(2).binomial(volume.astype(int), SHARE).astype(float)
    exposure = np.ones((len(counts), SERIES))
    exposure[:, -1] = volume
    detector = Detector(SERIES, HOUR)
    ticked(detector, np.column_stack((counts, share)), exposure=exposure)
    return detector.save()


def same(one: Reading, other: Reading) -> bool:
    return all(np.array_equal(getattr(one, f.name), getattr(other, f.name)) for f in fields(Reading))


def next_hour(days: float = DAYS) -> float:
    return days * 24 % WEEK


voices = st.one_of(st.integers(0, 5), st.integers(0, 600)).map(float)
exposures = arrays(np.float64, SERIES, elements=st.floats(0.05, 1))
buckets = st.lists(
    st.tuples(arrays(np.float64, SERIES, elements=st.one_of(voices, st.just(np.nan))), exposures), max_size=5
)


# ------------------------------------------------------------------------------------------ one more voice


@settings(max_examples=60, deadline=None)
@given(
    buckets,
    arrays(np.float64, SERIES, elements=voices),
    exposures,
    st.integers(0, SERIES - 1),
    st.integers(1, 40),
)
def test_more_voices_never_lower_the_score(
    learnt: bytes,
    before: list[tuple[Floats, Floats]],
    counts: Floats,
    exposure: Floats,
    which: int,
    more: int,
) -> None:
    """Whatever came before, with any part of the sources heard, in one series of many."""
    raised = counts.copy()
    raised[which] += more
    found = []
    for newest in (counts, raised):
        detector = Detector.load(learnt)
        for i, (earlier, heard) in enumerate(before):
            detector.tick(next_hour() + i, earlier, with_share(heard, earlier))
        found.append(detector.tick(next_hour() + len(before), newest, with_share(exposure, counts)))
    assert found[1].score[which] >= found[0].score[which]
    others = np.arange(SERIES) != which
    assert np.array_equal(found[1].score[others], found[0].score[others])


def with_share(heard: Floats, counts: Floats) -> Floats:
    """The last series is a share: its exposure is the volume."""
    volume = np.nan_to_num(counts[-1]) * 2 + 3
    return np.append(heard[:-1], volume)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 80), st.integers(0, 80), st.integers(1, 10))
def test_more_voices_never_lower_the_score_of_the_share_they_raise(
    learnt: bytes, carrying: int, others: int, more: int
) -> None:
    """An anxious voice more is a voice more, too."""

    def share_score(carry: int) -> float:
        exposure = np.append(np.ones(SERIES - 1), float(carry + others))
        counts = np.append(np.array(PER_HOUR), float(carry))
        return float(Detector.load(learnt).tick(next_hour(), counts, exposure).score[-1])

    assert share_score(carrying + more) >= share_score(carrying)


# ------------------------------------------------------------------------------------------ gaps


def with_hole(random: np.random.Generator, days: float, first: int, length: int) -> tuple[Floats, slice]:
    """60 series, and where something shall be missing."""
    return drawn(random, means(days, *np.repeat([0.5, 4.0, 20.0, 100.0], 15)), 1.3), slice(
        first, first + length
    )


@pytest.mark.parametrize("length", [1, 5, 40])
def test_a_known_gap_and_what_is_filled_in_after_it_do_not_alarm(length: int) -> None:
    counts, hole = with_hole(np.random.default_rng(30 + length), 17, 14 * 24, length)
    counts[hole.stop] += counts[hole].sum(axis=0)
    counts[hole] = np.nan
    found = ticked(Detector(60, HOUR), counts)
    assert (scores(found[hole]) == 0).all()
    assert all((reading.rarity == 0).all() for reading in found[hole])
    assert scores(found[hole.stop :]).max() < threshold(0.01)


@settings(max_examples=25, deadline=None)
@given(buckets, arrays(np.bool_, SERIES), st.integers(1, 30))
def test_nothing_is_told_where_nothing_was_heard(
    learnt: bytes,
    before: list[tuple[Floats, Floats]],
    away: np.ndarray[tuple[int], np.dtype[np.bool_]],
    hours: int,
) -> None:
    detector = Detector.load(learnt)
    for i, (earlier, heard) in enumerate(before):
        detector.tick(next_hour() + i, earlier, heard)
    for i in range(hours):
        reading = detector.tick((next_hour() + len(before) + i) % WEEK, np.where(away, np.nan, 3.0))
        assert (reading.score[away] == 0).all()
        assert (reading.rarity[away] == 0).all()


def test_what_is_far_above_all_that_was_missed_is_found_at_once() -> None:
    counts, hole = with_hole(np.random.default_rng(33), 14.5, 14 * 24, 4)
    counts[hole] = np.nan
    counts[hole.stop] = 30 * counts[: 12 * 24].mean(axis=0) + 60
    after = ticked(Detector(60, HOUR), counts)[hole.stop]
    assert after.score.min() >= threshold(1)
    assert after.going.all()


def test_after_a_gap_a_burst_is_found_again() -> None:
    counts, hole = with_hole(np.random.default_rng(34), 15, 13 * 24, 30)
    counts[hole] = np.nan
    counts[hole.stop + 8] += 20 * counts[: 12 * 24].mean(axis=0) + 20
    assert scores(ticked(Detector(60, HOUR), counts))[hole.stop + 8].min() > threshold(1)


def test_a_source_that_fell_silent_is_no_new_normal() -> None:
    """30 hours of zeros that nobody said were unheard: no alarm when the voices are back, no drop, the old level."""
    counts, hole = with_hole(np.random.default_rng(35), 18, 14 * 24 + 6, 30)
    detector = Detector(60, HOUR)
    ticked(detector, counts[: hole.start])
    before, _ = detector.usual(9.0, HOUR)
    counts[hole] = 0
    found = scores(ticked(detector, counts[hole.start :], first=hole.start))
    assert found[: hole.stop - hole.start].max() < threshold(1)
    assert found.max() < threshold(0.01)
    assert not detector.shift()[0].any()
    after, _ = detector.usual(9.0, HOUR)
    assert (np.abs(np.log(after / before)) < np.where(before > 3, 0.4, 1.2)).all()


# ------------------------------------------------------------------------------------------ saving


def test_a_restart_after_each_bucket_changes_no_bit(learnt: bytes) -> None:
    """Gaps of each length, zeros, a burst; also from the very beginning."""
    random = np.random.default_rng(40)
    counts = drawn(random, means(2.5, *PER_HOUR, 8.0))
    counts[10:20] = 0
    counts[random.random(counts.shape) < 0.1] = np.nan
    counts[30:36, 2], counts[40] = np.nan, 900.0
    exposure = random.uniform(0.2, 1, counts.shape)
    for begun in (Detector(SERIES, HOUR).save(), learnt):
        unbroken, restarted = Detector.load(begun), Detector.load(begun)
        for i, (row, part) in enumerate(zip(counts, exposure, strict=True)):
            restarted = Detector.load(restarted.save())
            hour = next_hour() + i
            assert same(unbroken.tick(hour % WEEK, row, part), restarted.tick(hour % WEEK, row, part)), i
        for one, other in zip(
            (*unbroken.usual(3.0, HOUR), *unbroken.shift(), unbroken.level(), unbroken.alive()),
            (*restarted.usual(3.0, HOUR), *restarted.shift(), restarted.level(), restarted.alive()),
            strict=True,
        ):
            assert np.array_equal(one, other)


def without(saved: bytes, name: str) -> bytes:
    with np.load(io.BytesIO(saved)) as kept:
        return packed({key: kept[key] for key in kept if key != name})


def packed(named: dict[str, Floats]) -> bytes:
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **named)
    return file.getvalue()


def bare_array() -> bytes:
    file = io.BytesIO()
    np.save(file, np.ones(3))
    return file.getvalue()


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda saved: b"", id="nothing"),
        pytest.param(lambda saved: b"not a detector", id="rubbish"),
        pytest.param(lambda saved: saved[: len(saved) // 2], id="half"),
        pytest.param(lambda saved: saved[:-1], id="all but one byte"),
        pytest.param(
            lambda saved: saved[: len(saved) // 2] + b"?" + saved[len(saved) // 2 + 1 :], id="a byte"
        ),
        pytest.param(lambda saved: bare_array(), id="an array"),
        pytest.param(lambda saved: packed({}), id="an empty archive"),
        pytest.param(lambda saved: packed({"shape": np.ones(1)}), id="a short shape"),
        pytest.param(lambda saved: packed({"shape": np.array([1, np.inf, 0, 0])}), id="no width"),
        pytest.param(lambda saved: without(saved, "bank.level"), id="another version"),
    ],
)
def test_what_is_not_saved_by_it_is_refused(learnt: bytes, spoil: Callable[[bytes], bytes]) -> None:
    with pytest.raises(ValueError, match="not a saved detector"):
        Detector.load(spoil(learnt))


@settings(max_examples=20, deadline=None)
@given(st.binary(max_size=80), st.booleans())
def test_no_bytes_break_it(rubbish: bytes, zipped: bool) -> None:
    with pytest.raises(ValueError, match="not a saved detector"):
        Detector.load((b"PK\x03\x04" if zipped else b"") + rubbish)


def test_a_thousand_series_fit_into_twenty_megabytes() -> None:
    detector = Detector(1000, FIVE_MINUTES)
    ticked(detector, np.full((3, 1000), 2.0), bucket=FIVE_MINUTES)
    assert detector.nbytes / 1000 <= 20_000


# ------------------------------------------------------------------------------------------ new normals


def test_a_new_normal_is_told_and_stops_alarming() -> None:
    random = np.random.default_rng(50)
    mean = means(38, *np.repeat([6.0, 20.0, 100.0], 8))
    moved_at = 28 * 24 + 10
    mean[moved_at:] *= 3
    detector = Detector(24, HOUR)
    counts = drawn(random, mean, 1.3)
    ticked(detector, counts[:moved_at])
    assert not detector.shift()[0].any()
    told_after = np.full(24, np.inf)
    for i, row in enumerate(counts[moved_at:], 1):
        reading = detector.tick((moved_at + i - 1) % WEEK, row)
        ratio, hours = detector.shift()
        for which in np.flatnonzero((ratio > 0) & np.isinf(told_after)):
            told_after[which] = i / 24
            assert 2.2 <= ratio[which] <= 4
            assert abs(hours[which] - i) <= 24
        if i > 5 * 24:
            assert reading.score.max() < threshold(0.01)
    assert ((told_after >= 2) & (told_after <= 4)).all()


def test_a_crisis_of_a_night_is_no_new_normal() -> None:
    random = np.random.default_rng(51)
    mean = means(22, *np.repeat([3.0, 20.0, 100.0], 8))
    night = slice(16 * 24 + 22, 17 * 24 + 8)
    mean[night] *= 12
    detector = Detector(24, HOUR)
    counts = drawn(random, mean, 1.3)
    ticked(detector, counts[: night.start])
    before, _ = detector.usual(12.0, HOUR)
    found = scores(ticked(detector, counts[night], first=night.start))
    assert found.max(axis=0).min() > threshold(0.1)
    for i, row in enumerate(counts[night.stop :]):
        detector.tick((night.stop + i) % WEEK, row)
        assert not detector.shift()[0].any()
    after, _ = detector.usual(12.0, HOUR)
    assert after == pytest.approx(before, rel=0.5)


# ------------------------------------------------------------------------------------------ beginnings


def test_a_cold_start_says_nothing_for_a_day_and_finds_a_burst_on_the_third() -> None:
    random = np.random.default_rng(60)
    usual = np.repeat([5.0, 15.0, 60.0], 10)
    counts = drawn(random, np.tile(usual, (72, 1)), 1.3)
    counts[5] *= 40
    counts[60] = 20 * usual
    found = scores(ticked(Detector(30, HOUR), counts))
    assert (found[:24] == 0).all()
    assert found[24:60].max() < threshold(0.05)
    assert found[60].min() >= threshold(8)
    assert found[60, usual > 10].min() >= threshold(1)


def test_a_series_that_begins_later_is_cold_then() -> None:
    detector = Detector(2, HOUR)
    ticked(detector, np.column_stack((np.full(100, 5.0), np.full(100, np.nan))))
    found = scores(ticked(detector, np.array([[5.0, 5.0], [5.0, 900.0]] * 10), first=100))
    assert (found[:, 1] == 0).all()


def test_zeros_only_are_calm() -> None:
    """Also at a budget so large that the most usual bucket would be odd."""
    with np.errstate(all="raise", under="ignore"):
        assert (scores(ticked(Detector(3, HOUR), np.zeros((24 * 9, 3)))) == 0).all()


@pytest.mark.parametrize("bucket", [FIVE_MINUTES, HOUR, timedelta(days=1)])
def test_extremes_are_answered_without_a_warning(bucket: timedelta) -> None:
    """By column: huge counts for good, huge for once, by turns huge and none, fractions, hardly heard."""
    rows = np.arange(40)
    counts = np.column_stack((
        np.full(40, 1e12), np.where(rows == 35, 1e12, 2.0), np.where(rows % 2, 1e12, 0.0), rows / 7, np.zeros(40),
    ))  # fmt: skip
    exposure = np.ones_like(counts)
    exposure[:, 3], exposure[:, 4], exposure[20:, 4] = 0.013, 1e-9, 0.0
    with np.errstate(all="raise", under="ignore"):
        found = ticked(Detector(5, bucket), counts, bucket=bucket, exposure=exposure)
        one_row = Detector(1, bucket).tick(0.0, np.array([7.0]))
    for reading in (*found, one_row):
        for field in fields(Reading):
            assert np.isfinite(getattr(reading, field.name)).all(), field.name


# ------------------------------------------------------------------------------------------ clocks, windows


@pytest.mark.parametrize(
    "change", [datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)]
)
def test_no_false_alarm_where_the_clock_changes(change: datetime) -> None:
    """People keep to the clock on the wall."""
    starts = [change + HOUR * i for i in range(-21 * 24, 7 * 24)]
    walls = [start.astimezone(ZONE) for start in starts]
    local = np.array([24.0 * wall.weekday() + wall.hour for wall in walls])
    mean = np.outer(rhythm(local), np.repeat([10.0, 100.0, 400.0], 8))
    counts = drawn(np.random.default_rng(70), mean, 1.2)
    detector = Detector(24, HOUR)
    found = [detector.tick(hour_of_week(start, ZONE), row) for start, row in zip(starts, counts, strict=True)]
    assert scores(found[21 * 24 :]).max() < threshold(0.02)


def test_a_slow_rise_is_found_by_a_longer_window() -> None:
    random = np.random.default_rng(71)
    counts = drawn(random, means(15, *np.repeat([12.0], 10)))
    counts[-8:] += 30
    found = ticked(Detector(10, HOUR), counts)
    assert scores(found[-8:]).max(axis=0).min() > threshold(1)
    assert (found[-1].window > 1).all()
    assert (found[-1].seen > 2 * found[-1].foretold).all()
    assert found[-1].going.all()


def test_what_is_over_is_not_going_on() -> None:
    counts = drawn(np.random.default_rng(72), means(15, *np.repeat([3.0, 30.0], 5)))
    counts[-9:-6] += 90
    found = ticked(Detector(10, HOUR), counts)
    assert found[-8].going.all()
    assert found[-1].score.max() > threshold(1)
    assert not (found[-1].going & (found[-1].score > threshold(1))).any()


def test_windows_are_whole_buckets_up_to_a_day() -> None:
    assert windows(FIVE_MINUTES)[:3] == (1, 2, 4)
    for bucket in (FIVE_MINUTES, timedelta(minutes=7), timedelta(minutes=15), HOUR, 5 * HOUR, 24 * HOUR):
        found = windows(bucket)
        assert found[0] == 1
        assert found == tuple(sorted(set(found)))
        assert found[-1] * bucket <= timedelta(days=1)
    for refused in (timedelta(0), -HOUR, 25 * HOUR):
        with pytest.raises(ValueError, match="want one of up to a day"):
            Detector(1, refused)


def test_the_usual_is_by_the_hour_and_by_who_is_heard(learnt: bytes) -> None:
    detector = Detector.load(learnt)
    evening, _ = detector.usual(17.0, HOUR)
    night, _ = detector.usual(5.0, HOUR)
    assert (evening[2:5] > 1.5 * night[2:5]).all()
    assert evening[:5] == pytest.approx(np.array(PER_HOUR) * rhythm(np.array([17.0]))[0], rel=0.45)
    half, _ = detector.usual(17.0, HOUR, 0.5)
    assert half == pytest.approx(evening / 2)
    quarter, _ = detector.usual(17.4, timedelta(minutes=15))
    assert quarter == pytest.approx(evening / 4, rel=0.1)
    day, spread = detector.usual(0.0, timedelta(days=1))
    assert day[:5] == pytest.approx(np.array(PER_HOUR) * rhythm(np.arange(24.0)).sum(), rel=0.35)
    assert (spread >= 1).all()
    assert detector.level()[-1] == pytest.approx(SHARE, rel=0.2)
    assert detector.alive().all()
    assert not Detector(2, HOUR).alive().any()
