"""Level and spread: what a bucket teaches, and how far."""

import numpy as np
import pytest

from alerts.detection.bank import DISPERSIONS, STATE, Bank, Floats
from tests.alerts.detection.simulated import drawn

HEARD, SILENT = np.array([True]), np.array([False])
ONE = np.ones(1)


def taught(counts: Floats, hours: float = 1.0, trust: float = 1.0) -> Bank:
    """A bank of one series, begun at its first count."""
    bank = Bank(1, hours)
    bank.begin(HEARD, np.log(counts[:1] + 0.5))
    for count in counts:
        bank.learn(np.array([count]), ONE, HEARD, ONE * trust)
    return bank


def level(bank: Bank) -> float:
    return float(np.exp(bank.outlook().level[0]))


@pytest.mark.parametrize("mean", [0.2, 3.0, 80.0, 5000.0])
@pytest.mark.parametrize("hours", [1.0, 0.25])
def test_the_level_is_learnt(mean: float, hours: float) -> None:
    bank = taught(drawn(np.random.default_rng(1), np.full(300, mean)), hours)
    assert level(bank) == pytest.approx(mean, rel=0.3)


@pytest.mark.parametrize("dispersion", [1.0, 5.0])
def test_the_spread_is_learnt(dispersion: float) -> None:
    counts = drawn(np.random.default_rng(2), np.full(500, 30.0), dispersion)
    assert float(taught(counts).outlook().dispersion[0]) == pytest.approx(dispersion, rel=0.35)


def test_a_new_level_is_taken_over_in_a_day() -> None:
    random = np.random.default_rng(3)
    bank = taught(drawn(random, np.full(400, 20.0)))
    for count in drawn(random, np.full(24, 100.0)):
        bank.learn(np.array([count]), ONE, HEARD, ONE)
    assert level(bank) == pytest.approx(100, rel=0.3)


def test_one_bucket_moves_it_no_farther_than_an_unlikely_one_would() -> None:
    counts = drawn(np.random.default_rng(4), np.full(300, 20.0))
    moved = []
    for burst in (100.0, 1e4, 1e12):
        bank = taught(counts)
        bank.learn(np.array([burst]), ONE, HEARD, np.zeros(1))
        moved.append(level(bank))
    assert moved[0] == pytest.approx(moved[2], rel=0.02)
    assert moved[2] < 1.5 * level(taught(counts))


def test_without_trust_the_spread_is_not_learnt() -> None:
    counts = drawn(np.random.default_rng(5), np.full(300, 20.0))
    one, doubted, trusted = taught(counts), taught(counts), taught(counts)
    for count in (6.0, 34.0) * 20:
        doubted.learn(np.array([count]), ONE, HEARD, np.zeros(1))
        trusted.learn(np.array([count]), ONE, HEARD, ONE)
    before, after, learnt = (float(b.outlook().dispersion[0]) for b in (one, doubted, trusted))
    assert after == pytest.approx(before, rel=0.05)
    assert learnt > 1.15 * before


def test_what_was_not_heard_teaches_nothing_but_doubt() -> None:
    bank = taught(drawn(np.random.default_rng(6), np.full(300, 20.0)))
    before = bank.outlook()
    for _ in range(48):
        bank.learn(np.zeros(1), np.zeros(1), SILENT, ONE)
    after = bank.outlook()
    assert float(after.level[0]) == pytest.approx(float(before.level[0]), abs=0.05)
    assert float(after.dispersion[0]) == pytest.approx(float(before.dispersion[0]))
    assert after.level_variance[0] > before.level_variance[0]


def test_series_do_not_know_each_other() -> None:
    random = np.random.default_rng(7)
    counts = drawn(random, np.tile([0.5, 8.0, 300.0], (60, 1)))
    together = Bank(3, 1.0)
    together.begin(np.full(3, True), np.log(counts[0] + 0.5))
    for row in counts:
        together.learn(row, np.ones(3), np.full(3, True), np.ones(3))
    for i in range(3):
        alone = taught(counts[:, i])
        for name in STATE:
            axis = 0 if name == "weight" else 1
            assert np.allclose(
                np.take(getattr(together, name), [i], axis), getattr(alone, name), atol=1e-9
            ), name


def test_an_outlook_is_a_possible_one() -> None:
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        for counts in (
            np.zeros(50),
            np.full(50, 1e12),
            np.array([0.0, 1e9] * 25),
            np.array([1e6] + [0.0] * 50),
        ):
            now = taught(counts).outlook()
            assert np.isfinite(now.level).all()
            assert (now.level_variance > 0).all()
            assert (now.memory_variance > 0).all()
            assert (
                (now.dispersion >= DISPERSIONS[0] - 1e-9) & (now.dispersion <= DISPERSIONS[-1] + 1e-9)
            ).all()
