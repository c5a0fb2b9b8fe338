"""`lyhord detect` answers every row, and judges each from the rows before it only."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.detection.series import Budget, Judgement, scan
from console.commands.detect import expectations
from tests.console.running import Lyhord, asker

FIRST = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def lyhord(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Lyhord:
    return asker(tmp_path, monkeypatch, capsys)


def stamp(i: int) -> str:
    return f"{FIRST + HOUR * i:%Y-%m-%d %H:%M}"


def table(counts: list[str]) -> str:
    return "when,how_many\n" + "".join(f"{stamp(i)},{count}\n" for i, count in enumerate(counts))


def test_each_row_is_answered_also_one_that_was_not_heard(tmp_path: Path, lyhord: Lyhord) -> None:
    counts = [str(5 + i % 3) for i in range(24 * 20)] + ["", "nan", "6", "60"]
    (tmp_path / "counts.csv").write_text(table(counts))
    done = lyhord("detect", "counts.csv")
    answers = list(csv.DictReader(io.StringIO(done.stdout)))
    assert done.returncode == 0
    assert [row["timestamp"] for row in answers] == [stamp(i) for i in range(len(counts))]
    for row in answers[-4:-2]:
        assert (row["count"], row["score"], row["alarm"]) == ("", "0.0000", "0")
        assert 4 < float(row["expected"]) < 8
    assert [row["alarm"] for row in answers].count("1") == 1
    assert (answers[-1]["count"], answers[-1]["alarm"]) == ("60", "1")


def test_json_says_the_same(tmp_path: Path, lyhord: Lyhord) -> None:
    (tmp_path / "counts.csv").write_text(table(["5", "", "7"] * 40))
    rows = list(csv.DictReader(io.StringIO(lyhord("detect", "counts.csv").stdout)))
    lines = [json.loads(line) for line in lyhord("detect", "counts.csv", "--json").stdout.splitlines()]
    assert [line["timestamp"] for line in lines] == [row["timestamp"] for row in rows]
    assert [line["count"] for line in lines[:3]] == [5, None, 7]
    assert [f"{line['expected']:.3f}" for line in lines] == [row["expected"] for row in rows]
    assert all(line["alarm"] is False for line in lines)


def test_a_gap_and_years_to_come_are_answered_like_any_row(tmp_path: Path, lyhord: Lyhord) -> None:
    times = [*range(100), *range(200, 300)]
    (tmp_path / "counts.csv").write_text(
        "t,c\n" + "".join(f"{datetime(2120, 1, 1, tzinfo=UTC) + HOUR * i:%Y-%m-%dT%H:%M},0\n" for i in times)
    )
    done = lyhord("detect", "counts.csv")
    assert len(done.stdout.splitlines()) == 201
    assert all(line.endswith(",0") for line in done.stdout.splitlines()[1:])


def test_a_table_of_another_program(tmp_path: Path, lyhord: Lyhord) -> None:
    (tmp_path / "counts.csv").write_text(
        '\ufeff2026-03-02;"5"\r\n2026-03-03;"6"\r\n', encoding="utf-8", newline=""
    )
    assert [line.split(",")[:2] for line in lyhord("detect", "counts.csv").stdout.splitlines()[1:]] == [
        ["2026-03-02", "5"],
        ["2026-03-03", "6"],
    ]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("none.csv",), "none.csv: cannot be read"),
        (("latin.csv",), "want a CSV file in UTF-8"),
        (("good.csv", "--zone", "Stockholm"), "--zone: got 'Stockholm', want an IANA zone"),
        (("good.csv", "--zone", "../etc"), "want an IANA zone"),
        (("good.csv", "--false-alarms-per-30-days", "inf"), "got inf, want a number"),
        (("bad.csv",), "bad.csv, line 3: got 'x', want a whole count"),
    ],
)
def test_what_is_wrong_is_named(
    arguments: tuple[str, ...], told: str, tmp_path: Path, lyhord: Lyhord
) -> None:
    (tmp_path / "good.csv").write_text(table(["1", "2"]))
    (tmp_path / "bad.csv").write_text(table(["1", "x"]))
    (tmp_path / "latin.csv").write_bytes("tid,röster\n2026-03-02,1\n".encode("latin-1"))
    done = lyhord("detect", *arguments)
    assert done.returncode == 2
    assert told in done.stderr
    assert done.stdout == ""


def judged(count: int | None, expected: float) -> Judgement | None:
    if count is None:
        return None
    return Judgement(observed=count, expected=expected, score=0, alarm=False)


def test_where_nothing_was_heard_the_week_before_is_expected() -> None:
    known = [judged(1, float(i)) for i in range(24 * 8)]
    found = expectations([None, *known, None], HOUR)
    assert found[0] == 0.0
    assert found[-1] == float(24 * 8 - 24 * 7)
    assert expectations([judged(1, 3.0), None, None], HOUR) == [3.0, 3.0, 3.0]
    assert expectations([judged(1, 3.0), None], timedelta(days=30)) == [3.0, 3.0]


@given(st.lists(st.none() | st.integers(0, 60), min_size=1, max_size=80), st.integers(1, 80))
def test_no_answer_depends_on_later_rows(counts: list[int | None], cut: int) -> None:
    def answers(some: list[int | None]) -> list[float]:
        starts = [FIRST + HOUR * i for i in range(len(some))]
        budget = Budget(false_alarms_per_30_days=1)
        return expectations(scan(some, starts, zone=UTC, budget=budget), HOUR)

    assert answers(counts)[:cut] == answers(counts[:cut])
