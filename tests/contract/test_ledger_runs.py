"""What every ledger promises of runs and sources (`listener.ports.Runs`)."""

from dataclasses import replace
from datetime import timezone

import pytest

from listener.ports import Ledger, Run, RunState, SourceState, Tally
from tests.contract.ledger_samples import HOUR, MINUTE, NOON, claim, do, plan


def test_one_run_for_each_source_and_slot(ledger: Ledger) -> None:
    run_id = plan(ledger)
    assert ledger.runs.plan("s", NOON, "schedule") is None
    assert ledger.runs.plan("s", NOON.astimezone(timezone(HOUR)), "manual") is None
    assert plan(ledger, "t") != run_id
    run = ledger.runs.get(run_id)
    assert run == Run(id=run_id, source="s", slot=NOON, trigger="schedule", state=RunState.QUEUED)
    assert ledger.runs.get(run_id + 99) is None


def test_a_claimed_run_is_had_by_nobody_else_until_its_lease_ends(ledger: Ledger) -> None:
    run_id = plan(ledger)
    run = claim(ledger, run_id, owner="a")
    assert (run.state, run.attempts, run.started_at, run.lease_until) == (
        RunState.RUNNING,
        1,
        NOON,
        NOON + HOUR,
    )
    assert ledger.runs.claim(run_id, owner="b", now=NOON + HOUR - MINUTE, lease=HOUR) is None
    again = claim(ledger, run_id, owner="b", now=NOON + HOUR)
    assert again.attempts == 2
    assert not ledger.runs.extend(run_id, owner="a", until=NOON + 9 * HOUR)
    assert not ledger.runs.finish(run_id, owner="a", now=NOON + HOUR, tally=Tally())
    assert ledger.runs.finish(run_id, owner="b", now=NOON + HOUR, tally=Tally())
    assert ledger.runs.claim(run_id, owner="c", now=NOON + 9 * HOUR, lease=HOUR) is None
    assert ledger.runs.claim(run_id + 99, owner="c", now=NOON, lease=HOUR) is None


def test_two_runs_of_one_source_do_not_overlap(ledger: Ledger) -> None:
    first, second, other = plan(ledger), plan(ledger, slot=NOON + MINUTE), plan(ledger, "t")
    claim(ledger, first, owner="a")
    assert ledger.runs.claim(second, owner="b", now=NOON + MINUTE, lease=HOUR) is None
    claim(ledger, other, owner="b")
    assert ledger.runs.finish(first, owner="a", now=NOON + MINUTE, tally=Tally())
    claim(ledger, second, owner="b", now=NOON + MINUTE)


def test_a_lease_that_ended_cannot_be_extended_over_the_next_run(ledger: Ledger) -> None:
    first, second = plan(ledger), plan(ledger, slot=NOON + MINUTE)
    claim(ledger, first, owner="a")
    assert ledger.runs.extend(first, owner="a", until=NOON + 2 * HOUR)
    assert ledger.runs.claim(second, owner="b", now=NOON + HOUR, lease=HOUR) is None
    claim(ledger, second, owner="b", now=NOON + 2 * HOUR)
    assert not ledger.runs.extend(first, owner="a", until=NOON + 9 * HOUR)
    assert ledger.runs.extend(second, owner="b", until=NOON + 9 * HOUR)


def test_waiting_are_the_queued_and_the_abandoned_oldest_first(ledger: Ledger) -> None:
    late, lost, held, done = (plan(ledger, str(n), NOON - n * MINUTE) for n in range(4))
    for run_id, lease in ((lost, MINUTE), (held, HOUR), (done, HOUR)):
        claim(ledger, run_id, lease=lease)
    assert ledger.runs.finish(done, owner="me", now=NOON, tally=Tally())
    assert [run.id for run in ledger.runs.waiting(NOON + MINUTE)] == [lost, late]
    assert [run.id for run in ledger.runs.waiting(NOON + MINUTE, limit=1)] == [lost]
    assert [run.id for run in ledger.runs.waiting(NOON)] == [late]


def test_a_finished_run_says_what_it_did(ledger: Ledger) -> None:
    good, bad = plan(ledger), plan(ledger, slot=NOON + HOUR)
    claim(ledger, good)
    assert ledger.runs.finish(
        good, owner="me", now=NOON, tally=Tally(pages=3, posts=9, new=2, warnings=("a", "b"))
    )
    claim(ledger, bad, now=NOON + HOUR)
    assert ledger.runs.finish(
        bad, owner="me", now=NOON + HOUR, tally=Tally(posts=1, error="HTTP 503", warnings=("a",))
    )
    newest, oldest = ledger.runs.latest("s", 5)
    assert (oldest.id, oldest.state, oldest.pages, oldest.posts, oldest.new) == (good, RunState.DONE, 3, 9, 2)
    assert (oldest.reason, oldest.ended_at, oldest.lease_until) == ("a; b", NOON, None)
    assert (newest.id, newest.state, newest.reason) == (bad, RunState.FAILED, "HTTP 503")
    assert [run.id for run in ledger.runs.latest("s")] == [bad]
    assert ledger.runs.latest("t") == []


def test_the_latest_slot_is_of_its_trigger(ledger: Ledger) -> None:
    assert ledger.runs.latest_slot("s") is None
    plan(ledger, slot=NOON)
    plan(ledger, slot=NOON - HOUR)
    plan(ledger, slot=NOON + MINUTE, trigger="manual")
    assert ledger.runs.latest_slot("s") == NOON
    assert ledger.runs.latest_slot("s", "manual") == NOON + MINUTE


def test_the_state_of_an_unknown_source_is_empty_and_of_a_known_one_remembered(ledger: Ledger) -> None:
    assert ledger.runs.state("s") == SourceState(source="s")
    ledger.runs.pause("s", why="storm", now=NOON)
    assert ledger.runs.state("s") == SourceState(source="s", paused_at=NOON, paused_why="storm")
    ledger.runs.resume("s")
    assert ledger.runs.state("s") == SourceState(source="s")


def test_pausing_keeps_what_runs_have_taught_and_resuming_ends_the_back_off(ledger: Ledger) -> None:
    failed = do(ledger, NOON, Tally(error="x", permanent=True))
    assert failed.backoff_until is not None
    ledger.runs.pause("s", why="", now=NOON)
    ledger.runs.resume("s")
    assert ledger.runs.state("s") == replace(failed, backoff_until=None)


def test_a_good_run_clears_failures_and_remembers_what_was_new(ledger: Ledger) -> None:
    failed = do(ledger, NOON - HOUR, Tally(error="x", permanent=True))
    assert (failed.failures, failed.last_error, failed.blocked) == (1, "x", True)
    state = do(ledger, NOON, Tally(new=1, newest_post_at=NOON - HOUR))
    assert state == SourceState(
        source="s",
        first_run_at=failed.first_run_at,
        last_ok_at=NOON,
        last_failed_at=failed.last_failed_at,
        newest_post_at=NOON - HOUR,
        last_post_seen_at=NOON,
    )
    later = do(ledger, NOON + HOUR, Tally(newest_post_at=NOON - 2 * HOUR))
    assert later == replace(state, last_ok_at=NOON + HOUR), (
        "nothing new, and an older newest post changes nothing"
    )


def test_failures_are_counted_and_backed_off(ledger: Ledger) -> None:
    do(ledger, NOON, Tally())
    do(ledger, NOON + 10 * MINUTE, Tally())
    waits = []
    for n in range(2, 12):
        slot = NOON + n * 10 * MINUTE
        state = do(ledger, slot, Tally(error="timeout"))
        assert state.backoff_until is not None
        waits.append((state.backoff_until - slot) / MINUTE)
    assert waits == [5, 10, 20, 40, 80, 160, 320, 360, 360, 360]
    assert (state.failures, state.last_error, state.last_failed_at, state.blocked) == (
        10,
        "timeout",
        slot,
        False,
    )
    assert state.last_ok_at == NOON + 10 * MINUTE


@pytest.mark.parametrize(
    ("asked", "minutes"),
    [(3600.0, 60), (1.0, 5), (1e300, 1440), (float("inf"), 5), (float("nan"), 5), (-5.0, 5)],
)
def test_a_source_is_left_alone_as_long_as_it_asks_within_a_day(
    ledger: Ledger, asked: float, minutes: int
) -> None:
    state = do(ledger, NOON, Tally(error="HTTP 429", retry_after=asked))
    assert state.backoff_until == NOON + minutes * MINUTE


def test_a_permanent_failure_blocks_and_is_still_tried_now_and_then(ledger: Ledger) -> None:
    state = do(ledger, NOON, Tally(error="HTTP 401", permanent=True, new=1))
    assert state.blocked
    assert state.backoff_until == NOON + 6 * HOUR
    assert state.last_post_seen_at == NOON, "what came before the failure counts"


def test_arrivals_are_what_ended_since_oldest_first(ledger: Ledger) -> None:
    for hour, tally in enumerate([Tally(new=1), Tally(new=2), Tally(new=3, error="x"), Tally()]):
        do(ledger, NOON + hour * HOUR, tally)
    plan(ledger, slot=NOON + 9 * HOUR)
    assert ledger.runs.arrivals("s", NOON + HOUR) == [
        (NOON + HOUR * n, new) for n, new in ((1, 2), (2, 3), (3, 0))
    ]
