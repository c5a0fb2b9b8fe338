"""The benchmark's own counting: a judge that is wrong would praise a detector that is."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.detection.calibration import threshold
from alerts.detection.detector import Detector
from benchmarks import detection, detection_suites
from benchmarks.detection_suites import Injected, Spike, inject, matched, outcome, tweets

BUCKETS_PER_DAY = 288
COUNTS = next(iter(tweets().values()))


def injected(*spikes: Spike, days: int = 30, warm: int = 0) -> Injected:
    return Injected(counts=np.zeros(days * BUCKETS_PER_DAY), spikes=spikes, warm=warm)


def alarms(series: Injected, *at: int) -> detection_suites.Bools:
    found = np.zeros(len(series.counts), dtype=bool)
    found[list(at)] = True
    return found


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_spikes_are_added_to_the_real_counts_and_lie_apart(seed: int) -> None:
    series = inject(COUNTS, np.random.default_rng(seed))
    more = series.counts - COUNTS
    assert (more >= 0).all()
    assert (more[: series.spikes[0].start] == 0).all()
    starts = [spike.start for spike in series.spikes]
    ends = [spike.start + spike.length for spike in series.spikes]
    assert starts[0] >= series.warm
    assert all(following - end >= 144 for end, following in zip(ends, starts[1:], strict=False))
    for spike in series.spikes:
        assert more[spike.start : spike.start + spike.length + 144].sum() >= 1
    again = inject(COUNTS, np.random.default_rng(seed))
    assert np.array_equal(series.counts, again.counts)
    assert series.spikes == again.spikes


def test_the_tweets_are_whole() -> None:
    read = tweets()
    assert {name: (len(counts), int(counts.max())) for name, counts in read.items()} == {
        "AAPL": (15902, 13479),
        "CRM": (15902, 209),
        "FB": (15833, 1258),
        "KO": (15851, 2241),
        "UPS": (15866, 231),
    }


def test_an_alarm_is_told_once_in_six_quiet_hours() -> None:
    series = injected()
    assert outcome(series, alarms(series, 100, 101, 150, 222))[0] == 1
    assert outcome(series, alarms(series, 100, 172))[0] == 1
    assert outcome(series, alarms(series, 100, 173))[0] == 2


def test_alarms_before_the_judged_part_count_for_nothing() -> None:
    series = injected(warm=1000)
    assert outcome(series, alarms(series, 5, 999)) == (0, [])
    assert outcome(series, alarms(series, 990, 1000)) == (1, [])


def test_a_spike_is_found_from_its_start_until_a_little_after_its_end() -> None:
    series = injected(Spike(start=500, length=24, size="M"))
    assert outcome(series, alarms(series, 499)) == (1, [None])
    assert outcome(series, alarms(series, 500)) == (0, [0])
    assert outcome(series, alarms(series, 530)) == (0, [30])
    assert outcome(series, alarms(series, 531)) == (1, [None])


def test_all_spikes_are_matched_by_scores_that_know_them() -> None:
    spikes = tuple(Spike(start=1000 * n, length=6, size=size) for n, size in enumerate("SML", 1))
    series = injected(*spikes)
    scores = np.zeros(len(series.counts))
    scores[[spike.start + 3 for spike in spikes]] = 1.0
    figures = matched([series], [scores], budget=1.0)
    assert {name: figures[name] for name in ("matched", "S", "M", "L", "delay")} == {
        "matched": 1.0,
        "S": 1.0,
        "M": 1.0,
        "L": 1.0,
        "delay": 3.0,
    }


@given(st.integers(0, 2**32 - 1), st.sampled_from([1.0, 4.0, 10.0]))
@settings(max_examples=25, deadline=None)
def test_matched_keeps_to_the_budget(seed: int, budget: float) -> None:
    random = np.random.default_rng(seed)
    suite = [injected(Spike(start=3000, length=24, size="S"), days=30) for _ in range(3)]
    scores = [random.exponential(size=len(series.counts)) for series in suite]
    least = matched(suite, scores, budget)["threshold"] + 0.001  # rounded to three digits
    rates = [outcome(series, score >= least)[0] for series, score in zip(suite, scores, strict=True)]
    assert np.mean(rates) <= budget


def test_the_factory_alarms_at_the_budget_asked_for() -> None:
    random = np.random.default_rng(1)
    counts: list[float | None] = [*random.poisson(20, 24 * 14).astype(float), None, 20.0, 20.0, 400.0]
    single = detection.factory({"bucket_s": 3600, "budget_per_30d": 50.0})
    read = [single.update(n * 3600, count) for n, count in enumerate(counts)]
    assert all(alarm == (score >= threshold(50.0)) for score, alarm in read)
    assert any(alarm for score, alarm in read if score < threshold(1.0))
    assert read[-4] == (0.0, False)
    assert read[-1][1]
    assert not any(alarm for _, alarm in read[:24])


def test_series_in_step_score_as_the_factory_does_alone() -> None:
    random = np.random.default_rng(2)
    counts = random.poisson(8, (24 * 9, 1)).astype(float)
    begins = 1_672_617_600
    together = detection_suites.run(begins, 3600, counts)[:, 0]
    single = detection.factory({"bucket_s": 3600, "budget_per_30d": 1.0})
    alone = [single.update(begins + n * 3600, count)[0] for n, count in enumerate(counts[:, 0])]
    assert together.tolist() == alone


def test_a_restart_that_forgets_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = np.random.default_rng(3).poisson(30, (2 * BUCKETS_PER_DAY + 40, 3)).astype(float)
    assert detection.restart_is_identical(counts)
    fresh = Detector(3, timedelta(minutes=5))
    monkeypatch.setattr(Detector, "load", classmethod(lambda _cls, _saved: fresh))
    assert not detection.restart_is_identical(counts)


def test_a_missing_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detection_suites, "SHARED", tmp_path / "shared")
    with pytest.raises(FileNotFoundError, match=r"shared/bench/spikes\.py: missing; want the folder"):
        detection.jobs(["simulated"], 12, 1, quick=True)
    assert list(detection.jobs(["semi"], 12, 1, quick=True)) == ["semi"]


def test_hours_of_the_week_begin_on_monday() -> None:
    assert detection_suites.hour_of_week(1_672_617_600) == 0.0  # 2023-01-02 00:00 UTC
    assert detection_suites.hour_of_week(1_672_617_600 + 25.5 * 3600) == 25.5
