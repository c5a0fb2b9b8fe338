"""`lyhord backtest` on a real archive: quiet weeks, then a night when many are worried."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from console.commands.backtest import by_incident, read_budgets
from listener import settings
from listener.archive import open_archive
from listener.errors import ConfigError
from listener.incident import State
from listener.ledger import open_ledger
from listener.mention import Mention
from tests.alerts.fakes import incident, level
from tests.console.running import Answer, Lyhord, asker
from tests.contract.archive_samples import make_mention, make_score

BEGAN = datetime(2025, 3, 10, 1, 15, tzinfo=UTC)
HOUR = timedelta(hours=1)
FILE = """
zone = "UTC"
language = "en"
[[brands]]
id = "fjelltele"
name = "Fjelltele"
queries = ["fjelltele*"]
[[brands]]
id = "polarnett"
name = "Polarnett"
queries = ["polarnett*"]
[[rules]]
id = "worry"
brand = "fjelltele"
[[rules]]
id = "other"
brand = "polarnett"
"""
WORDS = [f"{a}{b}{c}" for a in "bdfgklmnprst" for b in "aeiouyåäö" for c in ("nd", "st", "ll", "rk", "mp")]


def voice(name: str, at: datetime, random: np.random.Generator, *, anxious: bool) -> Mention:
    mention = make_mention(
        name,
        text=" ".join(random.choice(WORDS, 12)),
        published_at=at,
        fetched_at=at,
        retention_until=at + timedelta(days=900),
    )
    return replace(mention, score=make_score(is_anxious=anxious, anxiety=0.9 if anxious else 0.1))


def voices(days: int = 14) -> Iterator[Mention]:
    """Two an hour, every fourth of them worried; in the night for two hours one more every other minute, all worried."""
    random = np.random.default_rng(5)
    for i in range(days * 48):
        at = BEGAN - timedelta(minutes=30) * (i + 1)
        yield voice(f"b{i}", at, random, anxious=i % 4 == 0)
    for i in range(60):
        yield voice(f"s{i}", BEGAN + timedelta(minutes=2) * i, random, anxious=True)


def fill(folder: Path, mentions: Iterable[Mention]) -> None:
    (folder / "lyhord.toml").write_text(FILE)
    stored = list(mentions)
    archive = open_archive(settings.archive_url(settings.load(folder / "lyhord.toml")))
    archive.add([replace(mention, score=None) for mention in stored])
    archive.save_scores({m.id: (m.revision, m.score) for m in stored if m.score})
    archive.close()


@pytest.fixture
def lyhord(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Lyhord:
    return asker(tmp_path, monkeypatch, capsys)


def over_the_night(lyhord: Lyhord, *arguments: str, rule: str = "worry") -> Answer:
    start, end = BEGAN - 12 * HOUR, BEGAN + 8 * HOUR
    span = ("--since", start.isoformat(), "--until", end.isoformat())
    return lyhord("backtest", *([rule] if rule else []), *span, *arguments)


def test_the_night_is_told_and_nothing_is_saved(tmp_path: Path, lyhord: Lyhord) -> None:
    fill(tmp_path, voices())
    done = over_the_night(lyhord, "--budgets", "0.001,2", "--json")
    (found,) = map(json.loads, done.stdout.splitlines())
    assert found["note"] == ""
    assert [(b["false_alarms_per_30_days"], b["incidents"]) for b in found["budgets"]] == [
        (0.001, 1),
        (1.0, 1),
        (2.0, 1),
    ]
    (night,) = found["incidents"]
    opened, over = (datetime.fromisoformat(night[key]) for key in ("opened", "over"))
    assert BEGAN < opened < BEGAN + HOUR
    assert BEGAN + 2 * HOUR < over < BEGAN + 4 * HOUR
    assert 28 <= night["peak"] <= 33
    assert night["usual"] < 2
    assert night["signals"] == ["anxiety"]
    assert night["lines"][0].startswith("Fjelltele:")
    ledger = open_ledger(settings.ledger_url(settings.load(tmp_path / "lyhord.toml")))
    assert ledger.incidents.recent() == []
    assert ledger.outbox.due(datetime.now(UTC)) == []
    ledger.close()


def test_in_the_terminal(tmp_path: Path, lyhord: Lyhord) -> None:
    fill(tmp_path, voices())
    said = over_the_night(lyhord, "--budgets", "4").stdout.splitlines()
    assert said[0] == "worry: 2025-03-09 13:15 – 2025-03-10 09:15"
    assert said[1].split() == ["budget", "incidents", "in", "30", "days"]
    assert said[2].split()[:2] == ["1", "1"]
    assert said[2].rstrip().endswith("the rule's own")
    opened = next(line for line in said if line.startswith("Opened 2025-03-10 01:"))
    assert ", over 2025-03-10 0" in opened
    assert any(line.startswith("  Fjelltele:") for line in said)


@pytest.mark.parametrize(
    ("kept", "told"),
    [
        (timedelta(0), "nothing of Fjelltele is stored before 2025-03-10 09:15: run `lyhord collect` first"),
        (10 * HOUR, "too near the end 2025-03-10 09:15: a rule learns for 1 day before it judges"),
        (30 * HOUR, "its first day is not judged, and until the end of day 7 only much is an alarm"),
    ],
)
def test_too_short_a_history_is_said(kept: timedelta, told: str, tmp_path: Path, lyhord: Lyhord) -> None:
    end = BEGAN + 8 * HOUR
    fill(tmp_path, [m for m in voices(2) if end - kept <= m.published_at])
    done = over_the_night(lyhord, "--json", "--budgets", "1")
    assert done.returncode == 0
    assert told in json.loads(done.stdout)["note"]


def test_without_a_name_every_rule_is_replayed(tmp_path: Path, lyhord: Lyhord) -> None:
    fill(tmp_path, [])
    done = over_the_night(lyhord, rule="")
    assert "worry:" in done.stdout
    assert "Nothing of Polarnett is stored" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("worri",), "rule 'worri': no such rule; known: worry, other"),
        (("--budgets", "1,x"), "--budgets: got '1,x', want numbers above 0"),
        (("--since", "1d", "--until", "2d"), "want a time before the end"),
        (("--since", "9999999w"), "want times after 1970"),
        (("--since", "soon"), "time 'soon'"),
    ],
)
def test_what_is_wrong_is_named(
    arguments: tuple[str, ...], told: str, tmp_path: Path, lyhord: Lyhord
) -> None:
    (tmp_path / "lyhord.toml").write_text(FILE)
    done = lyhord("backtest", *arguments)
    assert done.returncode == 2
    assert told in done.stderr


@pytest.mark.parametrize("text", ["", "0", "-1", "nan", "inf", "1;2"])
def test_budgets_are_numbers_above_zero(text: str) -> None:
    with pytest.raises(ConfigError, match="--budgets"):
        read_budgets(text)


def test_an_incident_is_shown_at_its_height_and_its_end() -> None:
    first = incident(id="a", levels=(level(observed=12),), peak=12)
    height = replace(first, levels=(level(observed=30),), peak=30)
    last = replace(height, levels=(level(observed=2),), state=State.OVER)
    second = incident(id="b")
    fired = by_incident([first, height, last, second])
    assert [(one.height, one.last) for one in fired] == [(height, last), (second, second)]


@pytest.mark.parametrize("command", ["backtest", "rules", "incidents useful", "incidents noise"])
def test_the_commands_help_with_an_example(command: str, lyhord: Lyhord) -> None:
    done = lyhord(*command.split(), "--help")
    assert done.returncode == 0
    assert "Example:" in done.stdout
