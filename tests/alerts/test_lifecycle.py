from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from alerts.lifecycle import CALM, Seen, advance, after_act, incident_id, is_news, severity, without_quotes
from listener.incident import Act, Incident, Level, State
from listener.ledger.codec import decode, encode
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


def test_noise_at_the_border_of_normal_does_not_flap() -> None:
    assert states([14, *[11, 9] * 40]) == [""]
    assert states([16, *[12, 9] * 40]) == ["open", "falling"]
    assert states([16, 9, 13]) == ["open", "falling", "open"]


def test_a_part_that_is_too_high_keeps_it_open_though_the_whole_is_normal() -> None:
    was = advance(None, seen(8, spiking=True), NOW)
    for i in range(1, 60):
        at = NOW + STEP * i
        was = advance(was, seen(8, at=at, spiking=True), at)
        assert was is not None
        assert (was.state, was.spiked_at, was.opened_at) == (State.OPEN, at, NOW)


def test_it_ends_at_a_moved_normal_far_above_the_former_one() -> None:
    was: Incident | None = last([60])
    for i in range(1, CALM // STEP + 1):
        at = NOW + STEP * i
        moved = replace(
            seen(90, at=at, spiking=False),
            levels=(level(observed=90, expected=80, high=110),),
            new_normal=12.0,
            new_normal_since=NOW - timedelta(days=2),
        )
        was = advance(was, moved, at)
        assert was is not None
        assert was.state is (State.OVER if i == CALM // STEP else State.FALLING)
    assert was is not None
    assert (was.new_normal, was.new_normal_since) == (12.0, NOW - timedelta(days=2))


def test_that_the_normal_has_moved_is_news() -> None:
    opened = last([40])
    moved = advance(opened, replace(seen(41, at=NOW + STEP), new_normal=3.0), NOW + STEP)
    assert moved is not None
    assert moved.new_normal == 3.0
    assert is_news(opened, moved)


def test_a_known_cause_is_told_and_stays_when_it_has_ended() -> None:
    opened = last([40])
    campaign = replace(seen(41, at=NOW + STEP), known_cause="Autumn campaign")
    annotated = advance(opened, campaign, NOW + STEP)
    assert annotated is not None
    assert annotated.known_cause == "Autumn campaign"
    assert is_news(opened, annotated)
    later = advance(annotated, seen(41, at=NOW + 2 * STEP), NOW + 2 * STEP)
    assert later is not None
    assert later.known_cause == "Autumn campaign"
    assert not is_news(annotated, later)
    anew = advance(None, campaign, NOW + STEP)
    assert anew is not None
    assert anew.known_cause == "Autumn campaign"


def test_what_was_closed_is_not_reopened_by_the_size_of_another_signal() -> None:
    crowd = level(Signal.VOLUME, 300, 200, 240)
    both = replace(seen(40), levels=(level(observed=40), crowd), spiking=(Signal.ANXIETY, Signal.VOLUME))
    opened = advance(None, both, NOW)
    assert opened is not None
    closed = after_act(opened, Act.CLOSE, by="Kim", now=NOW + timedelta(minutes=1))
    volume_leads = replace(both, levels=(crowd, level(observed=40)), spiking=(Signal.VOLUME, Signal.ANXIETY))
    assert advance(closed, volume_leads, NOW + STEP) is closed
    grown = replace(volume_leads, levels=(replace(crowd, observed=451), level(observed=40)))
    assert advance(closed, replace(grown, spiking=(Signal.ANXIETY,)), NOW + STEP) is closed
    reopened = advance(closed, grown, NOW + STEP)
    assert reopened is not None
    assert reopened.id != closed.id


def test_what_was_closed_while_falling_is_held_against_its_peak() -> None:
    closed = after_act(last([77, 45]), Act.CLOSE, by="Kim", now=NOW + STEP + timedelta(minutes=1))
    at = NOW + 2 * STEP
    assert advance(closed, replace(seen(80, at=at), began_at=NOW), at) is closed
    assert advance(closed, replace(seen(116, at=at), began_at=NOW), at) is not closed


def test_a_look_from_before_the_last_one_reopens_nothing() -> None:
    closed = after_act(last([40]), Act.CLOSE, by="Kim", now=NOW + timedelta(minutes=1))
    assert advance(closed, seen(500), NOW) is closed


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


def without_search(look: Seen) -> Seen:
    away = replace(look.evidence, search_away_since=NOW - timedelta(minutes=9))
    return replace(look, evidence=away)


def test_that_the_server_is_away_is_told_with_the_next_change_and_is_none_itself() -> None:
    opened = last([20])
    same = advance(opened, without_search(seen(20, at=NOW + STEP)), NOW + STEP)
    assert same is not None
    assert not is_news(opened, same)
    grown = advance(opened, without_search(seen(40, at=NOW + STEP)), NOW + STEP)
    assert grown is not None
    assert is_news(opened, grown)
    assert grown.evidence.search_away_since == NOW - timedelta(minutes=9)
    back = replace(grown, evidence=replace(grown.evidence, search_away_since=None))
    assert not is_news(grown, back)
    assert not is_news(back, grown)


def test_when_the_voices_fall_it_is_told_whether_the_server_is_away_now() -> None:
    opened = advance(None, without_search(seen(40)), NOW)
    assert opened is not None
    assert opened.evidence.search_away_since
    fallen = advance(opened, seen(12, at=NOW + STEP), NOW + STEP)
    assert fallen is not None
    assert fallen.state is State.FALLING
    assert fallen.evidence.search_away_since is None


def test_since_when_the_server_is_away_is_stored_and_older_rows_stay_as_they_are() -> None:
    opened = last([20])
    body = encode(opened)
    assert "search_away" not in body, "what an older version wrote is written again letter by letter"
    assert encode(decode(body)) == body
    away = replace(opened, evidence=replace(opened.evidence, search_away_since=NOW))
    assert decode(encode(away)) == away


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


@pytest.mark.parametrize(("coverage", "grade"), [(1.0, 1), (0.9, 1), (0.5, 2), (0.25, 2), (0.1, 2), (0.0, 2)])
def test_where_little_can_be_heard_it_may_be_worse(coverage: float, grade: int) -> None:
    assert severity(level(observed=21, expected=6), State.OPEN, coverage) == grade
    opened = advance(None, replace(seen(21), coverage=coverage), NOW)
    assert opened is not None
    assert (opened.severity, opened.coverage) == (grade, coverage)
    later = advance(last([21]), replace(seen(21, at=NOW + STEP), coverage=coverage), NOW + STEP)
    assert later is not None
    assert later.severity == grade


def test_deafness_beyond_three_quarters_is_no_further_reason() -> None:
    assert severity(level(observed=10, expected=1), State.OPEN, 0.0) == 2
    assert severity(level(observed=10, expected=1), State.OPEN, 0.25) == 2


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


@settings(deadline=None)
@given(st.integers(5, 80), st.lists(st.integers(0, 100), min_size=1, max_size=60))
def test_voices_that_hardly_move_never_come_back_from_falling(base: int, percents: list[int]) -> None:
    width = max(0.14 * base, 2)
    counts = [base + int(width * percent / 100) for percent in percents]
    was = advance(None, seen(counts[0], spiking=True), NOW)
    fell = False
    for i, count in enumerate(counts):
        at = NOW + STEP * (i + 1)
        was = advance(was, seen(count, at=at), at)
        assert was is not None
        assert not (fell and was.state in (State.OPEN, State.GROWING))
        fell = was.state is State.FALLING


# Normal up to so many voices; an alarm from half as much again.
NORMAL = {Signal.ANXIETY: 10, Signal.COMPLAINTS: 30, Signal.VOLUME: 200}


@st.composite
def sights(draw: st.DrawFn) -> Seen:
    """Anything that a rule may see: any signal leads, a part alone may be too high, sources drop out, the normal
    moves, the calendar knows why. When it began the look says."""
    moved = draw(st.sampled_from([0.0, 0.0, 0.0, 4.0]))
    levels = []
    for signal, most in NORMAL.items():
        high = most * (moved or 1)
        times = draw(st.sampled_from([0.0, 0.3, 0.6, 0.9, 1.0, 1.1, 1.3, 1.6, 2.0, 3.0, 5.0]))
        levels.append(Level(signal=signal, observed=int(most * times), expected=high / 2, low=0, high=high))
    odd = draw(st.sampled_from([None, None, None, None, *NORMAL]))
    spiking = {x.signal for x in levels if x.observed >= 1.5 * x.high or x.signal is odd}
    levels.sort(key=lambda shown: (shown.signal not in spiking, -shown.observed / shown.high))
    return Seen(
        rule="oro",
        brand="fjelltele",
        levels=tuple(levels),
        spiking=tuple(x.signal for x in levels if x.signal in spiking),
        began_at=NOW,
        evidence=evidence(),
        missing=frozenset(draw(st.sampled_from([(), (), (), ("trafikforum",)]))),
        known_cause=draw(st.sampled_from(["", "", "Autumn campaign"])),
        coverage=draw(st.sampled_from([1.0, 1.0, 0.5, 0.0])),
        new_normal=moved,
        new_normal_since=NOW if moved else None,
    )


class Life(RuleBasedStateMachine):
    """One rule over days: looks at any distance, people's acts, restarts. `twin` lives the same without a
    calendar."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.was: Incident | None = None
        self.twin: Incident | None = None
        self.ids: list[str] = []
        self.by_hand = False

    @rule(
        sight=sights(),
        minutes=st.sampled_from([5, 5, 5, 10, 15, 60, 125]),
        age=st.sampled_from([0, 15, 60, 300]),
    )
    def look(self, sight: Seen, minutes: int, age: int) -> None:
        self.now += timedelta(minutes=minutes)
        sight = replace(sight, began_at=self.now - timedelta(minutes=age))
        was, now = self.was, self.now
        moved = advance(was, sight, now)
        assert advance(moved, sight, now) == moved, "the same look twice"
        self.twin = advance(self.twin, replace(sight, known_cause=""), now)
        assert self.twin == (moved and replace(moved, known_cause="")), "the calendar decides nothing"
        if was is None or was.state is State.OVER:
            self._may_open(was, moved, sight)
        else:
            assert moved is not None
            self._lives(was, moved, sight)
        self.was = moved

    def _may_open(self, was: Incident | None, moved: Incident | None, sight: Seen) -> None:
        if moved is was:
            assert not sight.spiking or self.by_hand
            return
        assert moved is not None
        assert sight.spiking
        assert (moved.state, moved.opened_at, moved.signals) == (State.OPEN, self.now, sight.spiking)
        assert moved.id not in self.ids
        if was is not None and was.ended_at is not None:
            assert moved.began_at > was.spiked_at
            before = {shown.signal: shown.observed for shown in was.levels} | {was.levels[0].signal: was.peak}
            worse = {x.signal for x in sight.levels if x.observed > 1.5 * before[x.signal]}
            worse &= {*was.signals} & {*sight.spiking}
            assert not self.by_hand or sight.began_at >= was.ended_at or worse
        self.ids.append(moved.id)
        self.by_hand = False

    def _lives(self, was: Incident, moved: Incident, sight: Seen) -> None:
        assert moved.id == was.id == self.ids[-1]
        assert moved.levels[0].signal is was.levels[0].signal, "who leads, leads to the end"
        assert moved.signals[: len(was.signals)] == was.signals
        assert set(moved.signals) == {*was.signals, *sight.spiking}
        assert moved.severity >= was.severity
        lead = next(x for x in sight.levels if x.signal is was.levels[0].signal)
        assert moved.peak == max(was.peak, lead.observed)
        if sight.spiking:
            assert moved.spiked_at == self.now
        if moved.state is State.OVER:
            assert not sight.missing
            assert moved.ended_at == was.spiked_at
            assert self.now - was.spiked_at >= CALM
            assert not any(x.observed > x.high for x in sight.levels if x.signal in moved.signals)
        elif moved.state is State.GROWING and was.state is not State.GROWING:
            assert moved.peak_at == self.now

    @precondition(lambda self: self.was is not None)
    @rule(act=st.sampled_from(list(Act)))
    def act(self, act: Act) -> None:
        assert self.was is not None
        assert self.twin is not None
        at = self.now + timedelta(minutes=2)
        self.by_hand = self.by_hand or (act is Act.CLOSE and self.was.state is not State.OVER)
        self.was = after_act(self.was, act, by="Kim", now=at)
        self.twin = after_act(self.twin, act, by="Kim", now=at)

    @precondition(lambda self: self.was is not None)
    @rule()
    def restart(self) -> None:
        assert self.was is not None
        self.was = decode(encode(self.was))

    @precondition(lambda self: self.was is not None)
    @rule(sight=sights(), minutes=st.integers(0, 600))
    def clock_goes_back(self, sight: Seen, minutes: int) -> None:
        assert self.was is not None
        earlier = self.was.spiked_at - timedelta(minutes=minutes)
        assert advance(self.was, replace(sight, began_at=earlier), earlier) is self.was


TestLife = Life.TestCase
TestLife.settings = settings(deadline=None, max_examples=100, stateful_step_count=40)
