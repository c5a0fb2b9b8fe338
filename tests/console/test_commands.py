"""The command line as people and scripts use it, on real files."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from console.cli import main
from listener.settings import parse_config

FORUM = """
[[sources]]
id = "forum"
kind = "forum"
address = "http://127.0.0.1:9/"
channel = "forum"
every = "10m"
allow_private = true
delay = "0s"
[sources.policy]
basis = "test"
retention = "90d"
deletions = "recrawl"
"""
BRAND = '[[brands]]\nid = "fjelltele"\nname = "Fjelltele"\nqueries = ["fjelltele*"]\n'


Lyhord = Callable[..., "Answer"]


@dataclass(frozen=True, slots=True)
class Answer:
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def lyhord(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Lyhord:
    """The command in this process."""

    def ask(*arguments: str, folder: Path, typed: str = "") -> Answer:
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "argv", ["lyhord", *arguments])
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        said = capsys.readouterr()
        return Answer(int(end.value.code or 0), said.out, said.err)

    return ask


def in_a_process(*arguments: str, folder: Path, typed: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "console", *arguments],
        cwd=folder,
        input=typed,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        check=False,
    )


def test_score_answers_each_line_with_the_promised_fields(tmp_path: Path) -> None:
    line = '{"id":"1","text":"Jag är så orolig, ingen svarar i telefon"}\n'
    done = in_a_process("score", "-", folder=tmp_path, typed=line)
    assert done.returncode == 0
    (answer,) = map(json.loads, done.stdout.splitlines())
    assert {"id", "language", "sentiment", "anxiety", "complaint", "themes", "why"} <= set(answer)
    assert (answer["id"], answer["language"]) == ("1", "sv")
    assert answer["anxiety"] > 0.5
    assert "orolig" in [reason["text"] for reason in answer["why"]]


def test_score_says_which_line_is_wrong_and_goes_on(tmp_path: Path, lyhord: Lyhord) -> None:
    typed = 'no json\n{"id": 2}\n{"id": 3, "text": "Tack, allt fungerar bra"}\n'
    done = lyhord("score", folder=tmp_path, typed=typed)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert "line 1: not JSON" in answers[0]["error"]
    assert "line 2: no text" in answers[1]["error"]
    assert answers[2]["language"] == "sv"
    assert done.returncode == 1


def test_init_writes_a_file_that_check_finds_good(tmp_path: Path, lyhord: Lyhord) -> None:
    made = lyhord("init", "--brand", "Björn & Söner", "--source", "https://forum.example/", folder=tmp_path)
    assert made.returncode == 0, made.stderr
    config = parse_config((tmp_path / "lyhord.toml").read_text())
    assert config.brands[0].id == "bjorn-soner"
    checked = lyhord("check", "--json", folder=tmp_path)
    assert checked.returncode == 0, checked.stdout
    assert all(json.loads(line)["ok"] for line in checked.stdout.splitlines())


def test_init_replaces_nothing_unasked(tmp_path: Path, lyhord: Lyhord) -> None:
    (tmp_path / "lyhord.toml").write_text("mine")
    refused = lyhord("init", "--brand", "Fjelltele", folder=tmp_path)
    assert refused.returncode == 2
    assert "--force" in refused.stderr
    assert (tmp_path / "lyhord.toml").read_text() == "mine"


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (FORUM.replace('every = "10m"', 'cron = "61 * * * *"'), "cron"),
        (FORUM.replace('kind = "forum"', 'kind = "forun"'), "forun"),
        (FORUM + "[sources.options]\nselektors = 1\n", "selektors"),
        (FORUM[: FORUM.index("[sources.policy]")], "policy"),
    ],
)
def test_check_names_what_the_operator_must_change(
    table: str, told: str, tmp_path: Path, lyhord: Lyhord
) -> None:
    (tmp_path / "lyhord.toml").write_text(BRAND + table)
    done = lyhord("check", folder=tmp_path)
    assert done.returncode == 2
    assert told in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_collect_of_a_source_that_is_away_says_so_and_fails(tmp_path: Path, lyhord: Lyhord) -> None:
    (tmp_path / "lyhord.toml").write_text(BRAND + FORUM)
    done = lyhord("collect", "--json", folder=tmp_path)
    answer = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == 1
    assert answer["state"] == "failed"
    assert answer["reason"]
    health = lyhord("sources", "health", "--json", folder=tmp_path)
    assert json.loads(health.stdout.splitlines()[0])["condition"] == "failing"
    assert health.returncode == 1


def test_pausing_is_shown_and_undone(tmp_path: Path, lyhord: Lyhord) -> None:
    (tmp_path / "lyhord.toml").write_text(BRAND + FORUM)
    assert lyhord("sources", "pause", "forum", "--why", "storm", folder=tmp_path).returncode == 0
    shown = lyhord("sources", "health", folder=tmp_path).stdout
    assert "paused" in shown
    assert "storm" in shown
    lyhord("sources", "resume", "forum", folder=tmp_path)
    assert "paused" not in lyhord("sources", "health", folder=tmp_path).stdout


def test_an_unknown_source_is_answered_with_the_known_ones(tmp_path: Path, lyhord: Lyhord) -> None:
    (tmp_path / "lyhord.toml").write_text(BRAND + FORUM)
    done = lyhord("collect", "forun", folder=tmp_path)
    assert done.returncode == 2
    assert "known: forum" in done.stderr


def test_a_wrong_query_is_marked_at_its_column(tmp_path: Path, lyhord: Lyhord) -> None:
    (tmp_path / "lyhord.toml").write_text(BRAND)
    done = lyhord("search", "orolig AND", folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].strip() == "^"


def test_detect_judges_each_row_of_a_bare_series(tmp_path: Path, lyhord: Lyhord) -> None:
    hours = [f"2026-03-{1 + i // 24:02d} {i % 24:02d}:00:00,{5 + i % 3}" for i in range(24 * 20)]
    rows = ["when,how_many", *hours, "2026-03-21 00:00:00,60"]
    (tmp_path / "counts.csv").write_text("\n".join(rows) + "\n")
    done = lyhord("detect", "counts.csv", "--false-alarms-per-30-days", "1", folder=tmp_path)
    lines = done.stdout.splitlines()
    assert lines[0] == "timestamp,count,expected,score,alarm"
    assert len(lines) == len(rows)
    assert lines[-1].startswith("2026-03-21 00:00:00,60,")
    assert lines[-1].endswith(",1")
    assert sum(line.endswith(",1") for line in lines) == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is empty"),
        ("a,b\nx,y\n", "no time and count"),
        ("t,c\n2026-03-01,1\n2026-03-01,2\n", "line 3: 2026-03-01T00:00:00+00:00 is not after"),
        ("t,c\n2026-03-01,1\n2026-03-02,-2\n", "line 3: got '-2', want a whole count"),
        ("t,c\n2026-03-01,1\nsoon,2\n", "line 3: got 'soon', want a time"),
    ],
)
def test_detect_names_the_line_that_is_wrong(text: str, told: str, tmp_path: Path, lyhord: Lyhord) -> None:
    (tmp_path / "counts.csv").write_text(text)
    done = lyhord("detect", "counts.csv", folder=tmp_path)
    assert done.returncode == 2
    assert told in done.stderr


@pytest.mark.parametrize(
    "command",
    [
        "demo",
        "init",
        "check",
        "run",
        "collect",
        "score",
        "detect",
        "search",
        "erase",
        "sources list",
        "sources run",
        "incidents ack",
    ],
)
def test_every_command_helps_with_an_example(command: str, tmp_path: Path, lyhord: Lyhord) -> None:
    done = lyhord(*command.split(), "--help", folder=tmp_path)
    assert done.returncode == 0
    assert "Example:" in done.stdout
