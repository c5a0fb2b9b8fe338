"""What stands in a CSV file → a series on an even grid, or an error that names the line."""

import csv
import io
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.series import Series, read_series
from listener.errors import ConfigError

FIRST = datetime(2026, 3, 1, tzinfo=UTC)
HOUR, FIVE = timedelta(hours=1), timedelta(minutes=5)


def read(text: str) -> Series:
    return read_series(io.StringIO(text, newline=""), "counts.csv")


def rows(times: Sequence[datetime], *, header: str = "time,count\n") -> str:
    return header + "".join(f"{at:%Y-%m-%d %H:%M:%S},{i % 7}\n" for i, at in enumerate(times))


def every(step: timedelta, many: int, start: datetime = FIRST) -> list[datetime]:
    return [start + step * i for i in range(many)]


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-01T00:00,4\n2026-03-01T01:00,5\n",
        "when,how_many\n2026-03-01 00:00:00,4\n2026-03-01 01:00:00,5\n",
        "n;t\n4;2026-03-01T00:00Z\n5;2026-03-01T01:00Z\n",
        'time\tcount\n"2026-03-01T00:00"\t"4"\n"2026-03-01T01:00"\t"5"\n',
        ",timestamp,value,flag\n0,2026-03-01 00:00,4.0,1\n1,2026-03-01 01:00,5.0,1\n",
        "time,weight,count\n2026-03-01T00:00,0.5,4\n2026-03-01T01:00,0.25,5\n",
        "t,c\n1772323200,4\n1772326800,5\n",
        "t,c\n1772323200000,4\n1772326800000,5\n",
        "t,c\n2026-03-01T01:00+01:00,4\n2026-02-28T23:00-02:00,5\n",
        "\nt,c\n\n2026-03-01,4\n2026-03-01T01:00,5\n\n",
        "t,c\r2026-03-01,4\r2026-03-01T01:00,5\r",
        't,c,"a;b"\n2026-03-01,4,"x\ny"\n2026-03-01T01:00,5,\n',
    ],
)
def test_every_layout_is_the_same_series(text: str) -> None:
    found = read(text)
    assert found.starts == (FIRST, FIRST + HOUR)
    assert found.counts == (4, 5)
    assert found.rows == (0, 1)


def test_what_was_not_heard_is_not_zero() -> None:
    found = read(
        "t,c\n2026-03-01T00:00,1\n2026-03-01T01:00,\n2026-03-01T02:00,NaN\n2026-03-01T03:00,0\n2026-03-01T06:00,2\n"
    )
    assert found.counts == (1, None, None, 0, None, None, 2)
    assert found.rows == (0, 1, 2, 3, 6)


def test_an_empty_first_count_does_not_hide_the_column() -> None:
    assert read("t,c\n2026-03-01T00:00,\n2026-03-01T01:00,3\n").counts == (None, 3)
    assert read("t,c\n2026-03-01T00:00,\n").counts == (None,)


def test_one_row_is_an_hour() -> None:
    found = read("t,c\n2026-03-01,3\n")
    assert (found.counts, found.bucket) == ((3,), HOUR)


def test_times_that_jitter_stay_in_their_buckets() -> None:
    times = [at + timedelta(seconds=i * 7919 % 601 / 10) for i, at in enumerate(every(HOUR, 500))]
    found = read("t,c\n" + "".join(f"{at.isoformat()},1\n" for at in times))
    assert found.rows == tuple(range(500))
    assert found.bucket == HOUR


def test_half_of_the_rows_may_be_missing() -> None:
    kept = [at for i, at in enumerate(every(FIVE, 2000)) if i * 7919 % 100 < 50]
    found = read(rows(kept))
    assert found.bucket == FIVE
    assert [found.starts[place] for place in found.rows] == kept


def test_clocks_put_back_need_an_offset() -> None:
    local = "t,c\n2026-10-25T01:55,1\n2026-10-25T02:00,1\n2026-10-25T02:55,1\n2026-10-25T02:00,1\n"
    with pytest.raises(ConfigError, match=r"line 5: .* clocks were put back, write the offset"):
        read(local)
    offset = "t,c\n2026-10-25T01:00+02:00,1\n2026-10-25T02:00+02:00,2\n2026-10-25T02:00+01:00,3\n2026-10-25T03:00+01:00,4\n"
    assert read(offset).counts == (1, 2, 3, 4)


HOURS_THEN_FIVES = every(HOUR, 48) + every(FIVE, 3000, FIRST + 48 * HOUR)
FIVES_THEN_HOURS = every(FIVE, 3000) + every(HOUR, 48, FIRST + 3000 * FIVE + HOUR)
HOURS_THEN_FEW_FIVES = every(HOUR, 480) + every(FIVE, 30, FIRST + 480 * HOUR)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is empty"),
        ("\n \n", "is empty"),
        ("time,count\n", "line 1: is the only one, and holds no time and count"),
        ("a,b\nx,y\n", "line 2: no time and count"),
        ("t,c\n2026-03-01,1\n2026-03-01,2\n", "line 3: 2026-03-01T00:00:00[+]00:00 is not after"),
        ("t,c\n2026-03-02,1\n2026-03-01,2\n", "line 3: .* want rows sorted by time"),
        ("t,c\n2026-03-01,1\n2026-03-02,-2\n", "line 3: got '-2', want a whole count"),
        ("t,c\n2026-03-01,1\n2026-03-02,2.5\n", "line 3: got '2.5', want a whole count"),
        ("t,c\n2026-03-01,1\n2026-03-02,inf\n", "line 3: got 'inf', want a whole count"),
        ("t,c\n2026-03-01,1\n2026-03-02,9e14\n", "line 3: got '9e14', want a whole count"),
        ("t,c\n2026-03-01,1\nsoon,2\n", "line 3: got 'soon', want a time"),
        ("2026-13-01,1\n2026-03-02,2\n", "line 1: got '2026-13-01', want a time"),
        ("t,c\n2026-03-01,1\n0001-01-01T00:00+14:00,2\n", "line 3: got '0001-01-01T00:00.14:00', want a time"),
        ("t,c\n2026-03-01,1\n2026-03-02\n", "line 3: has 1 cells, want at least 2"),
        ('t,c,x\n2026-03-01,1,"\n2026-03-02,2,\n', "no CSV file .unexpected end"),
        (
            "t,c\n2026-03-01T00:00,1\n2026-03-01T00:01,1\n2199-03-01T00:00,2\n",
            "buckets of .* longest gap is before line 4",
        ),
        ("t,c\n2026-03-01T00:00,1\n2026-03-01T01:00,1\n2026-03-01T02:00,1\n2026-03-01T03:25,1\n", "line 5: comes 1:25:00"),
        (rows(HOURS_THEN_FIVES), "line 3: from here 48 rows come 1:00:00 apart, where most come 0:05:00"),
        (rows(FIVES_THEN_HOURS), "line 3003: from here 47 rows come 1:00:00 apart"),
        (rows(HOURS_THEN_FEW_FIVES), "line 483: comes 0:05:00 after .* most come 1:00:00 apart"),
    ],
)  # fmt: skip
def test_an_error_names_the_line_what_was_got_and_what_is_wanted(text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        read(text)


def test_progress_is_told() -> None:
    heard: list[int] = []
    read_series(io.StringIO(rows(every(FIVE, 25_000))), "counts.csv", heard.append)
    assert heard == [10_000, 20_000]


cells = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ("", "nan", "-1", "1.5", "1e308", "7", "1772323200", "time", '"', "a;b", "\x00", "0001-01-01T00:00+23:59")
    ),
    st.datetimes(timezones=st.none() | st.just(UTC)).map(lambda at: at.isoformat()),
    st.integers(-5, 10**14).map(str),
)  # fmt: skip


@given(st.lists(st.lists(cells, max_size=4), max_size=8), st.sampled_from(",;\t"))
def test_any_table_is_read_or_refused_with_words(table: list[list[str]], delimiter: str) -> None:
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=delimiter)
    for row in table:
        writer.writerow(row)
    answered(file.getvalue())


@given(st.text())
def test_any_text_is_read_or_refused_with_words(text: str) -> None:
    answered(text)


def answered(text: str) -> None:
    """Only ConfigError is caught: any other error fails the test."""
    try:
        found = read(text)
    except ConfigError as e:
        refused = str(e)
    else:
        check(found)
        return
    assert "counts.csv" in refused
    assert "want" in refused


def check(found: Series) -> None:
    assert len(found.rows) == len(found.stamps)
    assert len(found.starts) == len(found.counts) == found.rows[-1] + 1
    assert all(count is None or count >= 0 for count in found.counts)


@given(
    st.lists(st.none() | st.integers(0, 10**9), min_size=1, max_size=60),
    st.sampled_from((FIVE, HOUR, 24 * HOUR)),
)
def test_whatever_is_written_is_read_again(counts: list[int | None], step: timedelta) -> None:
    text = "t,c\n" + "".join(
        f"{(FIRST + step * i).isoformat()},{'' if n is None else n}\n" for i, n in enumerate(counts)
    )
    found = read(text)
    assert found.counts == tuple(counts)
    assert len(counts) == 1 or found.bucket == step
