"""A bare series of counts with its times: each bucket judged from its own past only. Pure."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

import numpy as np

from alerts.detection.calibration import threshold
from alerts.detection.detector import HOUR, Detector

PROGRESS_EVERY = 2000
_COOLING_PER_HOUR, _COOLING_SHARPNESS, _SMALL_BURST = 0.08, 50.0, 6.0
_HELD_SCORE = 2.0


@dataclass(frozen=True, slots=True)
class Judgement:
    """`score`: 3 = chance alone brings such a bucket (or the hours up to it) once in 30 days, 4 = once in 300, 0 = nothing
    odd."""

    observed: int
    expected: float
    score: float
    alarm: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What a user allows: false alarms per 30 days, and the least count worth a word."""

    false_alarms_per_30_days: float
    minimum_voices: int = 5


def scan(
    counts: Sequence[int | None],
    starts: Sequence[datetime],
    *,
    zone: tzinfo,
    budget: Budget,
    tell: Callable[[int], None] = lambda done: None,
) -> list[Judgement | None]:
    """One Judgement for each count, None where it was not heard (None). starts: when each bucket begins (aware), evenly spaced;
    `tell` is told now and then how many are judged. Raises ValueError when lengths differ, a count is negative or a bucket is
    longer than a day."""
    if len(counts) != len(starts):
        raise ValueError(f"{len(counts)} counts for {len(starts)} times; want one time for each count")
    if any(count is not None and count < 0 for count in counts):
        raise ValueError("a count is negative; want 0 or more voices")
    bucket = starts[1] - starts[0] if len(starts) > 1 else HOUR
    detector, cooling = Detector(1, bucket), _Cooling(bucket / HOUR)
    alarming = threshold(budget.false_alarms_per_30_days)
    judged: list[Judgement | None] = []
    for done, (count, start) in enumerate(zip(counts, starts, strict=True)):
        reading = detector.tick(hour_of_week(start, zone), np.array([np.nan if count is None else count]))
        score, seen = cooling.held(float(reading.score[0]), float(reading.rarity[0])), float(reading.seen[0])
        if count is None:
            judged.append(None)
        else:
            alarm = score >= alarming and seen >= budget.minimum_voices
            judged.append(Judgement(count, float(reading.expected[0]), score, alarm))
        if done % PROGRESS_EVERY == 0:
            tell(done)
    return judged


class _Cooling:
    """In a table of rows, what follows a burst and stays below its decaying height is no news. (An incident needs no such rule:
    its own life says what is still the same story.)"""

    def __init__(self, hours: float) -> None:
        self._fade = math.exp(-_COOLING_PER_HOUR * hours)
        self._height = 0.0

    def held(self, score: float, rarity: float) -> float:
        """The score, held down to about _HELD_SCORE when the rarity is below the height of the last burst."""
        height = self._height
        self._height = max(height * self._fade, rarity)
        if height <= 0 or score <= 0:
            return score
        steep = _COOLING_SHARPNESS * (math.log(height) - math.log1p(rarity))
        below = math.exp(min(max(steep, -300.0), 300.0)) / (1 + (_SMALL_BURST / height) ** 4)
        held = below / (1 + below)
        return max(0.0, 3 - math.log10(10 ** (3 - score) + held * 10 ** (3 - _HELD_SCORE)))


def hour_of_week(moment: datetime, zone: tzinfo) -> float:
    """Hours since Monday 00:00 on the local clock, 0 ≤ … < 168."""
    local = moment.astimezone(zone)
    passed = timedelta(
        days=local.weekday(),
        hours=local.hour,
        minutes=local.minute,
        seconds=local.second,
        microseconds=local.microsecond,
    )
    return passed / HOUR
