"""Verdicts on a rule's alarms → its precision and the budget that would suit."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from alerts.feedback import LEAST_VERDICTS, Feedback, assess, wilson
from listener.incident import Act

MONTH = timedelta(days=30)


def feedback(
    useful: int = 0, noise: int = 0, known: int = 0, *, budget: float = 1.0, watched: timedelta = MONTH
) -> Feedback:
    verdicts = [Act.USEFUL.value] * useful + [Act.NOISE.value] * noise + [Act.KNOWN_CAUSE.value] * known
    return assess([*verdicts, ""], budget=budget, watched=watched)


def test_counts_and_precision() -> None:
    found = feedback(6, 2, 3)
    assert (found.useful, found.noise, found.known_cause) == (6, 2, 3)
    assert found.precision == 0.75
    assert (found.low, found.high) == pytest.approx(binomtest(6, 8).proportion_ci(method="wilson"))
    assert feedback(noise=3, watched=3 * MONTH).noise_per_30_days == pytest.approx(1.0)


def test_a_known_cause_counts_neither_way() -> None:
    assert feedback(known=9).precision is None
    few = feedback(2, 2, known=20)
    assert few.proposal is None
    assert few.why == "4 marked useful or noise; a proposal needs 5"


@pytest.mark.parametrize(
    ("useful", "noise", "watched", "proposal"),
    [
        (0, 5, MONTH, 0.5),
        (20, 5, MONTH, 0.5),
        (3, 2, MONTH, None),  # twice where once is allowed: bad luck
        (30, 5, 5 * MONTH, None),  # as often as is allowed
        (16, 0, MONTH, 2.0),
        (15, 0, MONTH, None),  # not sure enough yet
        (5, 0, MONTH, None),
        (4, 0, MONTH, None),
    ],
)
def test_the_proposal(useful: int, noise: int, watched: timedelta, proposal: float | None) -> None:
    assert feedback(useful, noise, watched=watched).proposal == proposal


def test_the_first_hours_do_not_make_a_flood() -> None:
    assert feedback(noise=5, watched=timedelta(0)).noise_per_30_days == pytest.approx(150.0)


counts = st.integers(0, 200)


@given(counts, counts, counts, st.floats(0.01, 100), st.floats(0, 400))
def test_always_sound(useful: int, noise: int, known: int, budget: float, days: float) -> None:
    found = feedback(useful, noise, known, budget=budget, watched=timedelta(days=days))
    assert 0 <= found.low <= found.high <= 1
    assert found.precision is None or found.low - 1e-9 <= found.precision <= found.high + 1e-9
    assert found.proposal in (None, budget / 2, budget * 2)
    assert found.proposal is None or useful + noise >= LEAST_VERDICTS
    assert found.proposal != budget / 2 or found.noise_per_30_days > budget


@given(st.integers(0, 50), st.integers(1, 50))
def test_more_evidence_narrows_the_interval(hits: int, of: int) -> None:
    hits = min(hits, of)
    low, high = wilson(hits, of)
    lower, higher = wilson(10 * hits, 10 * of)
    assert higher - lower < high - low
