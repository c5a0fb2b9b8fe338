"""What people's verdicts say about a rule: how many of its alarms were useful, and which budget would suit. Pure.

An incident that was marked "known cause" counts neither way: the spike was real, and nobody had to be told. What a rule missed is
not known here, so a proposal to double says only what can be afforded.
"""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from alerts.tail import MIN_SPREAD, log_tail
from listener.incident import Act

MONTH = timedelta(days=30)
LEAST_VERDICTS = 5
LEAST_WATCHED = timedelta(days=1)
CHANCE = 0.1
"""Noise above what is allowed is more than bad luck when it would come by chance less often than this."""
PRECISE = 0.8
_Z = 1.959964
"""Of a 95 % interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """Verdicts on one rule's incidents. `precision` is useful / (useful + noise), None without either; `low`..`high` its 95 %
    interval. `proposal`: false alarms per 30 days that would suit better, None when there is nothing to change; `why` in words.
    """

    useful: int
    noise: int
    known_cause: int
    precision: float | None
    low: float
    high: float
    noise_per_30_days: float
    proposal: float | None
    why: str


def assess(verdicts: Iterable[str], *, budget: float, watched: timedelta) -> Feedback:
    """`verdicts`: of the rule's incidents in the time `watched`, "" for none; `budget`: false alarms per 30 days now allowed."""
    given = Counter(verdicts)
    useful, noise = given[Act.USEFUL], given[Act.NOISE]
    judged, months = useful + noise, max(watched, LEAST_WATCHED) / MONTH
    low, high = wilson(useful, judged)
    proposal, why = _proposal(judged, noise, low, budget, months)
    return Feedback(
        useful=useful,
        noise=noise,
        known_cause=given[Act.KNOWN_CAUSE],
        precision=useful / judged if judged else None,
        low=low,
        high=high,
        noise_per_30_days=noise / months,
        proposal=proposal,
        why=why,
    )


def wilson(hits: int, of: int) -> tuple[float, float]:
    """95 % interval of a share by Wilson's score (Brown, Cai and DasGupta 2001, Interval Estimation for a Binomial Proportion).
    Of nothing: 0..1."""
    if not of:
        return 0.0, 1.0
    share, weight = hits / of, _Z**2 / of
    middle = (share + weight / 2) / (1 + weight)
    half = _Z * math.sqrt(share * (1 - share) / of + weight / (4 * of)) / (1 + weight)
    return max(0.0, middle - half), min(1.0, middle + half)


def _proposal(judged: int, noise: int, low: float, budget: float, months: float) -> tuple[float | None, str]:
    if judged < LEAST_VERDICTS:
        return None, f"{judged} marked useful or noise; a proposal needs {LEAST_VERDICTS}"
    chance = log_tail(noise, budget * months, MIN_SPREAD)
    if noise > budget * months and chance < math.log(CHANCE):
        return (
            budget / 2,
            f"noise comes {noise / months:.1f} times in 30 days and {budget:g} is allowed: halve it",
        )
    if low > PRECISE:
        return budget * 2, f"at least {low:.0%} are useful: may be doubled, to hear of weaker spikes too"
    return None, "the budget suits"
