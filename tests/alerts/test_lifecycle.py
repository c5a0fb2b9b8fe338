from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.lifecycle import CALM, Seen, advance, after_act, incident_id, is_news, severity, without_quotes
from listener.incident import Act, Incident, Level, State
from listener.mention import Signal
from tests.alerts.fakes import NOW, evidence, level, quote

STEP = timedelta(minutes=5)
HIGH = 10


def seen(observed: int, *, at: datetime = NOW, spiking: bool | None = None, missing: bool = False) -> Seen:
    """One look at a rule with one signal: usually 6, normally up to 10, an alarm from 15."""
    too_high = observed >= 15 if spiking is None else spiking
    return Seen(
        rule="anxiety",
        brand="fjelltele",
        levels=(level(observed=observed, high=HIGH),),
        spiking=(Signal.ANXIETY,) if too_high else (),
        began_at=at - timedelta(minutes=at.minute % 15, seconds=at.second),
        evidence=evidence(unheard={"trafikforum": "tyst"} if missing else None),
        missing=frozenset({"trafikforum"} if missing else ()),
    )


def replay(counts: Sequence[int], *, missing: bool = False) -> list[Incident | None]:
    """The rule's newest incident after each of a row of looks, five minutes apart."""
    was: Incident | None = None
    after = []
    for i, count in enumerate(counts):
        at = NOW + STEP * i
        was = advance(was, seen(count, at=at, missing=missing), at)
        after.append(was)
    return after


def states(counts: Sequence[int], *, missing: bool = False) -> list[str]:
    """The states in which it was, without repetition."""
    names = ["" if i is None else i.state.value for i in replay(counts, missing=missing)]
    return [name for i, name in enumerate(names) if i == 0 or name != names[i - 1]]


def last(counts: Sequence[int], *, missing: bool = False) -> Incident:
    incident = replay(counts, missing=missing)[-1]
    assert incident is not None
    return incident


def test_a_whole_life() -> None:
    counts = [5, 9, 20, 40, 77, 60, 40, 20, 8, *[6] * 30]
    assert states(counts) == ["", "open", "growing", "falling", "over"]
    over = last(counts)
    assert (over.peak, over.ended_at) == (77, NOW + STEP * 7)
    assert over.opened_at == NOW + STEP * 2


def test_all_normal_is_no_incident() -> None:
    assert replay([3, 14, 6, 0]) == [None] * 4


def test_it_is_not_over_before_two_hours_of_calm() -> None:
    calm_looks = CALM // STEP
    assert last([40, *[6] * (calm_looks - 1)]).state is State.FALLING
    assert last([40, *[6] * calm_looks]).state is State.OVER


def test_calm_does_not_end_it_while_a_source_is_unheard() -> None:
    assert states([40, *[6] * 100], missing=True) == ["open", "falling"]
    held = last([40, *[6] * 100], missing=True)
    assert advance(held, seen(6, at=NOW + STEP * 101), NOW + STEP * 101) == replace(
        held, state=State.OVER, ended_at=NOW, evidence=replace(held.evidence, heard=19, unheard={})
    )


def test_noise_around_a_border_does_not_flap() -> None:
    assert states([40, *[23, 26] * 20]) == ["open", "falling"]
    assert states([40, *[39, 43] * 20]) == ["open"]
    assert states([15, *[11, 9] * 40]) == ["open", "falling"]


def test_slow_growth_is_growth_and_ends_after_an_hour_without_a_new_peak() -> None:
    assert states([20, 22, 24, 26, 28, 30]) == ["open", "growing"]
    assert states([20, 40, *[38] * 11]) == ["open", "growing"]
    assert states([20, 40, *[38] * 12]) == ["open", "growing", "open"]


def test_falling_voices_may_rise_again() -> None:
    assert states([60, 20, 50, 90]) == ["open", "falling", "open", "growing"]


def test_small_changes_are_kept_but_are_no_news() -> None:
    before, after = replay([40, 43])
    assert before is not None
    assert after is not None
    assert (after.peak, after.spiked_at, after.levels) == (43, NOW + STEP, before.levels)
    assert not is_news(before, after)
    assert is_news(before, last([40, 47]))
    assert is_news(None, before)


def test_the_same_look_twice_changes_nothing() -> None:
    opened = last([40])
    assert advance(opened, seen(99), NOW) is opened
    assert advance(opened, seen(99, at=NOW - STEP), NOW - STEP) is opened


def test_a_new_spike_after_the_end_is_a_new_incident() -> None:
    first, second = last([40, *[6] * 24]), last([40, *[6] * 24, 40])
    assert first.state is State.OVER
    assert second.state is State.OPEN
    assert second.id != first.id
    assert second.began_at > first.spiked_at


def test_what_was_closed_by_hand_stays_closed_until_something_new_begins() -> None:
    closed = after_act(last([40]), Act.CLOSE, by="Kim", now=NOW + timedelta(minutes=7))
    later = NOW + timedelta(minutes=10)
    same = replace(seen(45, at=later), began_at=NOW - timedelta(hours=1))
    assert advance(closed, same, later) is closed
    worse = replace(same, levels=(level(observed=61, high=HIGH),))
    reopened = advance(closed, worse, later)
    assert reopened is not None
    assert reopened.id != closed.id
    tomorrow = NOW + timedelta(days=1)
    anew = advance(closed, seen(40, at=tomorrow), tomorrow)
    assert anew is not None
    assert anew.opened_at == tomorrow


def test_another_signal_joins_and_the_first_one_leads() -> None:
    opened = last([40])
    both = replace(
        seen(41, at=NOW + STEP),
        levels=(level(Signal.COMPLAINTS, 300, 20, 31), level(observed=41)),
        spiking=(Signal.COMPLAINTS, Signal.ANXIETY),
    )
    moved = advance(opened, both, NOW + STEP)
    assert moved is not None
    assert moved.signals == (Signal.ANXIETY, Signal.COMPLAINTS)
    assert [shown.signal for shown in moved.levels] == [Signal.ANXIETY, Signal.COMPLAINTS]
    assert moved.peak == 41


def test_lost_quotes_go_at_once_and_others_stay_when_voices_fall() -> None:
    said = evidence(quote("m1", "one"), quote("m2", "two"))
    opened = replace(last([40]), evidence=said)
    quieter = replace(seen(12, at=NOW + STEP), gone=frozenset({"m2"}))
    moved = advance(opened, quieter, NOW + STEP)
    assert moved is not None
    assert [q.mention for q in moved.evidence.quotes] == ["m1"]
    assert is_news(opened, moved)
    as_many = replace(
        seen(41, at=NOW + STEP), gone=frozenset({"m2"}), evidence=evidence(*[quote("m3", "three")] * 2)
    )
    replaced = advance(opened, as_many, NOW + STEP)
    assert replaced is not None
    assert {q.mention for q in replaced.evidence.quotes} == {"m3"}
    assert without_quotes(opened, {"m1", "m2"}).evidence.quotes == ()


def test_acts() -> None:
    opened = last([40])
    assert after_act(opened, Act.ACKNOWLEDGE, by="Kim", now=NOW).acknowledged_by == "Kim"
    snoozed = after_act(opened, Act.SNOOZE, by="Kim", now=NOW, length=timedelta(minutes=30))
    assert snoozed.snoozed_until == NOW + timedelta(minutes=30)
    assert after_act(opened, Act.NOISE, by="Kim", now=NOW).verdict == "noise"
    closed = after_act(opened, Act.CLOSE, by="Kim", now=NOW)
    assert (closed.state, closed.ended_at) == (State.OVER, NOW)
    assert after_act(closed, Act.CLOSE, by="Kim", now=NOW + STEP) is closed


def test_ids_are_of_rule_and_beginning() -> None:
    assert incident_id("a", NOW) == incident_id("a", NOW)
    assert len({incident_id("a", NOW), incident_id("b", NOW), incident_id("a", NOW + STEP)}) == 3


@pytest.mark.parametrize(
    ("observed", "expected", "state", "grade"),
    [(8, 1, State.OPEN, 0), (15, 6, State.OPEN, 1), (41, 6, State.OPEN, 2), (41, 6, State.GROWING, 3)],
)
def test_severity(observed: int, expected: float, state: State, grade: int) -> None:
    assert severity(level(observed=observed, expected=expected), state) == grade


def test_nothing_seen_is_an_error() -> None:
    with pytest.raises(ValueError, match="no level"):
        replace(seen(1), levels=())


counts_in_time = st.lists(st.integers(0, 120), min_size=1, max_size=80)


@settings(deadline=None)
@given(counts_in_time)
def test_same_arguments_same_answer(counts: list[int]) -> None:
    assert replay(counts) == replay(counts)


@settings(deadline=None)
@given(counts_in_time)
def test_never_over_while_unheard(counts: list[int]) -> None:
    for incident in replay([30, *counts, *[0] * 40], missing=True):
        assert incident is None or incident.state is not State.OVER


@settings(deadline=None)
@given(counts_in_time)
def test_every_incident_keeps_its_order_of_times(counts: list[int]) -> None:
    severities: dict[str, int] = {}
    for incident in replay([*counts, *[0] * 26]):
        if incident is None:
            continue
        assert incident.began_at <= incident.opened_at <= incident.spiked_at
        assert incident.opened_at <= incident.peak_at
        assert (incident.ended_at is not None) == (incident.state is State.OVER)
        assert incident.severity >= severities.get(incident.id, 0)
        severities[incident.id] = incident.severity
    end = replay([*counts, *[0] * 26])[-1]
    assert end is None or end.state is State.OVER


@settings(deadline=None)
@given(st.integers(0, 500), st.integers(0, 500), st.floats(0.02, 300))
def test_more_voices_never_lower_severity_at_opening(one: int, more: int, expected: float) -> None:
    few, many = sorted((one, more))

    def opened(observed: int) -> int:
        return severity(
            Level(signal=Signal.ANXIETY, observed=observed, expected=expected, low=0, high=1), State.OPEN
        )

    assert opened(few) <= opened(many)
