"""Verdicts by command, and what `lyhord rules` makes of them, on a real ledger."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from listener import settings
from listener.ledger import open_ledger
from listener.ports import Ledger
from tests.alerts.fakes import incident
from tests.console.running import Lyhord, asker

DAY = timedelta(days=1)
FILE = """
[[brands]]
id = "fjelltele"
name = "Fjelltele"
queries = ["fjelltele*"]
[[rules]]
id = "worry"
brand = "fjelltele"
false_alarms_per_30_days = 2.0
"""


@pytest.fixture
def lyhord(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Lyhord:
    (tmp_path / "lyhord.toml").write_text(FILE)
    return asker(tmp_path, monkeypatch, capsys)


@pytest.fixture
def ledger(lyhord: Lyhord, tmp_path: Path) -> Iterator[Ledger]:
    opened = open_ledger(settings.ledger_url(settings.load(tmp_path / "lyhord.toml")))
    yield opened
    opened.close()


def keep(ledger: Ledger, number: int, *, days_ago: float, verdict: str = "", told: bool = True) -> str:
    """An incident of `worry` that was opened so long ago. Returns its id."""
    opened = datetime.now(UTC) - DAY * days_ago
    name = f"{number:024x}"
    made = incident(
        id=name, rule="worry", began_at=opened, opened_at=opened, spiked_at=opened, peak_at=opened, verdict=verdict
    )  # fmt: skip
    assert ledger.incidents.save(made, was=None, now=opened, channels=("terminal",) if told else ())
    return name


@pytest.mark.parametrize(
    ("command", "verdict"), [("useful", "useful"), ("noise", "noise"), ("known-cause", "known cause")]
)
def test_a_verdict_is_kept_with_who_and_why(
    command: str, verdict: str, lyhord: Lyhord, ledger: Ledger
) -> None:
    name = keep(ledger, 1, days_ago=1)
    done = lyhord("incidents", command, name[:24], "--by", "Guro", "--note", "a song quiz")
    assert done.returncode == 0, done.stderr
    stored = ledger.incidents.get(name)
    assert stored is not None
    assert stored.verdict == verdict
    assert [(act, by, note) for _, act, by, note in ledger.incidents.acts(name)] == [
        (verdict, "Guro", "a song quiz")
    ]


def test_the_newest_verdict_counts(lyhord: Lyhord, ledger: Ledger) -> None:
    name = keep(ledger, 1, days_ago=1)
    lyhord("incidents", "noise", name)
    lyhord("incidents", "useful", name)
    (found,) = map(json.loads, lyhord("rules", "--json").stdout.splitlines())
    assert (found["useful"], found["noise"]) == (1, 0)


def test_each_rule_with_its_alarms_verdicts_and_proposal(lyhord: Lyhord, ledger: Ledger) -> None:
    for i in range(8):
        keep(ledger, i, days_ago=i + 1, verdict="noise")
    keep(ledger, 20, days_ago=9, told=False)
    keep(ledger, 21, days_ago=29, verdict="useful")
    keep(ledger, 22, days_ago=29.5, verdict="known cause")
    keep(ledger, 23, days_ago=40)
    keep(ledger, 24, days_ago=300, verdict="noise")
    (found,) = map(json.loads, lyhord("rules", "--json").stdout.splitlines())
    assert found["alarms_in_30_days"] == 10
    assert (found["useful"], found["noise"], found["known_cause"]) == (1, 8, 1)
    assert found["noise_per_30_days"] == pytest.approx(6.0, rel=0.01)
    assert (found["false_alarms_per_30_days"], found["proposal"]) == (2.0, 1.0)
    shown = lyhord("rules").stdout
    assert "1/8/1" in shown
    assert "11% (2%–43%)" in shown
    assert "worry: noise comes 6.0 times in 30 days and 2 is allowed: halve it." in shown


def test_too_few_verdicts_are_said(lyhord: Lyhord, ledger: Ledger) -> None:
    keep(ledger, 1, days_ago=1)
    assert "worry: 0 marked useful or noise; a proposal needs 5." in lyhord("rules").stdout


def test_without_a_rule_the_next_step_is_said(tmp_path: Path, lyhord: Lyhord) -> None:
    (tmp_path / "lyhord.toml").write_text(FILE[: FILE.index("[[rules]]")])
    done = lyhord("rules")
    assert done.returncode == 0
    assert "add [[rules]]" in done.stderr
