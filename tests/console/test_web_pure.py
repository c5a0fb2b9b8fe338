"""The page's pure parts: charts, times, phrases, filters, first lines, message preview."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from string import Formatter
from urllib.parse import parse_qsl, urlsplit
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.web.charts import Chart, Span, Tick, bar, draw, scale
from console.web.desk import Gap, HealthRow
from console.web.filters import Filters, read_filters
from console.web.headline import current, headline, heard, is_stale, newest_levels, sentences, unheard
from console.web.links import safe_link
from console.web.phrases import TABLES, Phrases, number, usual, usual_with_middle
from console.web.pictures import picture, ticks
from console.web.preview import Piece, preview
from console.web.series import PERIODS, Period, Series, read_series, running_end
from console.web.times import Clock
from listener.health import Condition
from listener.incident import Incident, State
from listener.mention import CHANNELS, LANGUAGES, THEMES, Signal
from listener.ports import Away, Where
from tests.console import fakes

HOUR = timedelta(hours=1)
SVG = "{http://www.w3.org/2000/svg}"
STOCKHOLM = ZoneInfo("Europe/Stockholm")


def chart(counts: Sequence[int | None], **changes: object) -> Chart:
    base = Chart(
        id="c", signal="anxiety", title="Oro", description="…", start=fakes.BEGAN, bucket=HOUR, counts=counts,
        band=[(0.0, 2.0)] * len(counts),
    )  # fmt: skip
    return replace(base, **changes)  # type: ignore[arg-type]


def drawn(given_chart: Chart) -> ElementTree.Element:
    return ElementTree.fromstring(draw(given_chart))


def clock(now: datetime = fakes.NOW, language: str = "sv") -> Clock:
    return Clock(now, STOCKHOLM, Phrases(language))


def series(
    counts: Sequence[int | None], *, start: datetime = fakes.BEGAN, bucket: timedelta = HOUR
) -> Series:
    return Series(
        signal=Signal.ANXIETY,
        start=start,
        bucket=bucket,
        counts=tuple(counts),
        band=((0.0, 0.4, 2.0),) * len(counts),
    )


# ------------------------------------------------------------------------------------------------ charts


@given(st.floats(0, 1e9))
def test_an_axis_starts_at_zero_and_reaches_the_largest_value_in_one_to_three_round_steps(
    largest: float,
) -> None:
    top, step = scale(largest)
    assert top >= largest
    assert top % step == 0
    assert 1 <= top // step <= 3
    assert str(step).rstrip("0") in {"1", "2", "5"}


def test_what_was_not_heard_is_a_gap_in_the_line_and_never_a_zero() -> None:
    svg = drawn(
        chart([3, 4, None, None, 5, 6], hatches=[Span(fakes.BEGAN + 2 * HOUR, fakes.BEGAN + 4 * HOUR, "ej")])
    )
    lines = [line.get("points", "") for line in svg.iter("polyline")]
    assert [len(points.split()) for points in lines] == [2, 2]
    assert not any(point.endswith(",100.0") for points in lines for point in points.split())
    hatch = next(rect for rect in svg.iter("rect") if rect.get("class") == "unheard")
    assert (hatch.get("x"), hatch.get("width")) == ("33.33%", "33.33%")


def test_one_bucket_heard_between_gaps_is_a_dot() -> None:
    svg = drawn(chart([None, 3, None]))
    assert [c.get("class") for c in svg.iter("circle")] == ["dot"]
    assert not list(svg.iter("polyline"))


def test_only_what_is_too_high_within_an_incident_wears_a_ring() -> None:
    svg = drawn(chart([9, 1, 9, 1], spans=[Span(fakes.BEGAN + 2 * HOUR, fakes.BEGAN + 9 * HOUR, "x")]))
    assert [c.get("class") for c in svg.iter("circle")] == ["above", "dot"]


def test_labels_of_incidents_never_run_into_each_other_and_the_first_given_wins() -> None:
    day = fakes.BEGAN
    spans = [
        Span(day + 20 * HOUR, day + 24 * HOUR, "incident sedan 02:15"),
        Span(day + 17 * HOUR, day + 18 * HOUR, "older"),
    ]
    svg = drawn(chart([1] * 24, spans=spans))
    assert [t.text for t in svg.iter("text") if "label" in t.get("class", "")] == ["incident sedan 02:15"]


HOSTILE = '"><script>alert(1)</script>&<b onload=x>'


def test_hostile_words_in_a_chart_stay_words() -> None:
    span = Span(fakes.BEGAN, fakes.BEGAN + HOUR, HOSTILE)
    svg = drawn(
        chart(
            [1, 2],
            title=HOSTILE,
            description=HOSTILE,
            spans=[span],
            ticks=[Tick(fakes.BEGAN, HOSTILE)],
            id='a"b<',
        )
    )
    assert not list(svg.iter("script"))
    assert sum(element.text == HOSTILE for element in svg.iter()) == 4


@given(st.lists(st.none() | st.integers(0, 10**6), min_size=1, max_size=50))
def test_any_counts_make_one_well_formed_drawing_without_inline_styles(counts: list[int | None]) -> None:
    svg = drawn(chart(counts))
    assert svg.get("role") == "img"
    assert not [e for e in svg.iter() if e.get("style") is not None]
    assert "nan" not in draw(chart(counts)).lower()


def test_a_chart_without_counts_is_refused() -> None:
    with pytest.raises(ValueError, match="0 counts"):
        draw(chart([]))


def test_a_bar_is_held_within_its_place() -> None:
    assert 'width="100.0%"' in bar(7, "anxiety")
    assert 'width="0.0%"' in bar(-1, "anxiety")


def test_a_point_leads_to_the_mentions_of_its_hour() -> None:
    shown = picture(
        replace(series([None, 5]), gaps=(Gap(fakes.BEGAN, fakes.BEGAN + HOUR),)), clock=clock(), filters=Filters(brand="f"),
        incidents=[fakes.growing_incident()], leading=True, axis=True,
    )  # fmt: skip
    assert shown.points[1].link == (
        "/mentions?brand=f&signal=anxiety&from=2026-03-14T02%3A15%3A00Z&to=2026-03-14T03%3A15%3A00Z"
    )
    assert shown.points[1].count == "5 oroliga röster"
    assert shown.points[1].when == "lör 14 mars 03:15–04:15"
    assert "incident sedan 02:15" in shown.svg


# ------------------------------------------------------------------------------------------------ times


@pytest.mark.parametrize(
    ("at", "words"),
    [
        (datetime(2026, 3, 14, 1, 15, tzinfo=UTC), "02:15"),
        (datetime(2026, 3, 13, 22, 59, tzinfo=UTC), "fre 23:59"),
        (datetime(2026, 3, 7, 12, 0, tzinfo=UTC), "7 mars 13:00"),
        (datetime(2025, 12, 24, 14, 0, tzinfo=UTC), "24 dec 2025 15:00"),
    ],
)
def test_a_moment_is_told_as_people_tell_it(at: datetime, words: str) -> None:
    assert clock().moment(at) == words


def test_times_follow_the_clocks_when_they_change() -> None:
    night = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
    at = clock(night)
    assert [at.hour(night), at.hour(night + HOUR)] == ["01:30", "03:30"]


def test_week_ticks_stand_at_local_midnights_over_the_change_of_clocks() -> None:
    start = datetime(2026, 3, 26, 12, tzinfo=UTC)
    found = ticks(series([0] * 168, start=start), clock(start + 168 * HOUR))
    assert [tick.at.astimezone(STOCKHOLM).hour for tick in found] == [0] * 7
    assert found[2].label == "sön 29"


@pytest.mark.parametrize(
    ("minutes", "words"),
    [(0, "nyss"), (40, "för 40 min sedan"), (150, "för 2 h sedan"), (4000, "för 3 dygn sedan")],
)
def test_ago(minutes: int, words: str) -> None:
    assert clock().ago(fakes.NOW - timedelta(minutes=minutes)) == words


def test_the_newest_bucket_ends_with_the_last_full_five_minutes() -> None:
    end = running_end(fakes.NOW + timedelta(seconds=17))
    assert end == fakes.NOW - timedelta(minutes=2)


# ------------------------------------------------------------------------------------------------ phrases


def slots(phrase: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(phrase) if name}


@pytest.mark.parametrize("language", sorted(TABLES))
def test_every_language_has_every_phrase_with_the_same_slots(language: str) -> None:
    table, english = TABLES[language], TABLES["en"]
    assert table.keys() == english.keys()
    assert {k: slots(v) for k, v in table.items()} == {k: slots(v) for k, v in english.items()}
    assert all(v.strip() for v in table.values())


@pytest.mark.parametrize("language", sorted(TABLES))
def test_every_name_of_the_domain_has_a_phrase(language: str) -> None:
    wanted = (
        {f"channel_{c}" for c in CHANNELS} | {f"lang_{x}" for x in LANGUAGES} | {f"theme_{t}" for t in THEMES}
    )
    wanted |= {f"{state}_{signal}" for state in State for signal in Signal} | {
        f"condition_{c}" for c in Condition
    }
    wanted |= {f"signal_{signal}" for signal in Signal} | {f"state_{state}" for state in State}
    assert wanted <= TABLES[language].keys()


def test_weekdays_and_months_are_complete() -> None:
    for language in TABLES:
        say = Phrases(language)
        assert (len(say("weekdays").split()), len(say("months").split())) == (7, 12)


def test_neighbouring_languages_get_the_nearest_table_and_others_english() -> None:
    assert [Phrases(language).language for language in ("sv", "nn", "da", "fi", "xx")] == [
        "sv",
        "nb",
        "nb",
        "en",
        "en",
    ]


def test_counts_are_worded_in_the_right_number() -> None:
    say = Phrases("sv")
    assert [say.count("anxiety", n) for n in (0, 1, 2)] == [
        "0 oroliga röster",
        "1 orolig röst",
        "2 oroliga röster",
    ]
    assert number(1234567) == "1\u202f234\u202f567"


def test_a_range_without_width_is_one_number() -> None:
    assert [usual(0, 0.4), usual(2.6, 10.2)] == ["0", "3–\u206010"]
    assert usual_with_middle(0, 0.1, 0.3) == "0"
    assert usual_with_middle(3, 6, 10) == "6\u00a0(3–\u206010)"


# ------------------------------------------------------------------------------------------------ filters and links

TIMES = st.none() | st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(
    st.builds(
        Filters,
        brand=st.sampled_from(["", "a", "b"]),
        signal=st.none() | st.sampled_from(Signal),
        start=TIMES,
        end=TIMES,
        text=st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), max_size=40),
        channel=st.sampled_from(["", *CHANNELS]),
        theme=st.sampled_from(["", *THEMES]),
        before=st.none() | st.tuples(TIMES.filter(bool), st.just("0" * 32)),
    )
)
def test_an_address_says_exactly_what_it_filters(filters: Filters) -> None:
    from_address = dict(pair for pair in _pairs(filters.link()))
    assert read_filters(from_address, brands=("a", "b"), sources=()) == filters


def _pairs(link: str) -> list[tuple[str, str]]:
    return parse_qsl(urlsplit(link).query)


@given(st.dictionaries(st.sampled_from(["brand", "signal", "from", "to", "q", "before", "theme"]), st.text()))
def test_no_address_breaks_the_reading(params: dict[str, str]) -> None:
    read_filters(params, brands=("a", "b"), sources=("s",))


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)", " javascript:alert(1)", "java\nscript:alert(1)", "data:text/html,x", "//evil.example",
        "http://", "https://a b", "http://[::1", "HTTPS:evil", "vbscript:x", "https://\u202egpj.example",
    ],
)  # fmt: skip
def test_only_plain_web_addresses_become_links(url: str) -> None:
    assert safe_link(url) == ""


def test_a_plain_address_stays_as_it_is() -> None:
    assert safe_link("https://forum.example.org/t/1?a=b#p2") == "https://forum.example.org/t/1?a=b#p2"


# ------------------------------------------------------------------------------------------------ the first line


def test_growing_anxiety_is_the_news() -> None:
    assert (
        headline(fakes.growing_incident(), fakes.healths(), clock(), stale=False) == "Oron växer sedan 02:15."
    )


def test_calm_is_said_with_how_many_are_heard() -> None:
    assert headline(None, fakes.healths(), clock(), stale=False) == "Lugnt. 5 av 6 källor hörda."
    assert unheard(fakes.healths(), clock()) == "Inte hörda: Trafikforum (tyst sedan 00:40)."


def test_silence_is_not_calm() -> None:
    deaf = [replace(row, heard=row.id == "torget") for row in fakes.healths()]
    assert headline(None, deaf, clock(), stale=False).startswith("För få källor")
    assert headline(None, fakes.healths(), clock(), stale=True).startswith("För få källor")
    assert headline(None, [], clock(), stale=False) == "Inget hört ännu."


def test_a_paused_source_is_not_counted_as_unheard() -> None:
    rows = [row for row in fakes.healths() if row.condition in (Condition.OK, Condition.PAUSED)]
    assert heard(rows, Phrases("sv")) == "Alla 5 källor hörda."


def test_many_unheard_are_counted_after_the_first_three() -> None:
    rows = [
        HealthRow(id=str(i), name=f"K{i}", kind="feed", condition=Condition.FAILING, heard=False)
        for i in range(5)
    ]
    assert unheard(rows, clock()) == "Inte hörda: K0 (felar), K1 (felar), K2 (felar) och 2 till."


def test_an_old_incident_is_no_news_and_one_that_goes_on_comes_first() -> None:
    past = fakes.past_incident()
    assert current([past], fakes.NOW) is None
    assert past.ended_at
    assert current([past], past.ended_at + HOUR) == past
    assert current([past, fakes.growing_incident()], fakes.NOW) == fakes.growing_incident()
    assert headline(past, fakes.healths(), clock(past.ended_at + HOUR), stale=False).startswith(
        "Lugnt igen sedan 21:30."
    )


def test_the_leading_signal_is_always_counted_out_and_others_only_when_too_high() -> None:
    high, calm = series([9]), series([1])
    found = {Signal.ANXIETY: calm, Signal.COMPLAINTS: high, Signal.VOLUME: series([None])}
    told = sentences(
        newest_levels(found, [Signal.ANXIETY, Signal.COMPLAINTS, Signal.VOLUME]), "nu", Phrases("sv")
    )
    assert [" ".join(line.replace("\u2060", "").split()) for line in told] == [
        "1 orolig röst nu, vanligen 0 (0–2).",
        "9 klagomål, vanligen 0 (0–2).",
    ]
    assert len(sentences(newest_levels(found, [Signal.COMPLAINTS, Signal.ANXIETY]), "nu", Phrases("sv"))) == 1


def test_only_while_an_incident_goes_on_a_number_is_set_as_an_alarm() -> None:
    def above(*incidents: Incident) -> bool:
        return picture(
            series([1, 9]), clock=clock(), filters=Filters(), incidents=incidents, leading=True, axis=True
        ).above  # fmt: skip

    assert above(fakes.growing_incident())
    assert not above(fakes.past_incident())
    assert not above()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 60 * 24 * 40), st.sampled_from(PERIODS))
def test_no_bucket_that_reaches_into_what_is_not_known_has_a_count(minutes: int, period: Period) -> None:
    known_from, end = fakes.NOW - timedelta(minutes=minutes), running_end(fakes.NOW)
    away = Away(since=fakes.NOW - HOUR, known_from=known_from, why="connection refused")
    asked = (Where(), [Signal.VOLUME])
    desk = fakes.desk(away=lambda: away, gaps=lambda start, end: ())
    [found] = read_series(desk, *asked, end=end, period=period).values()
    [whole] = read_series(fakes.desk(gaps=lambda start, end: ()), *asked, end=end, period=period).values()
    starts = [found.start + found.bucket * i for i in range(len(found.counts))]
    assert found.counts == tuple(
        count if start >= known_from else None for start, count in zip(starts, whole.counts, strict=True)
    )
    assert len(whole.band) == len(whole.counts)
    assert found.band == ()


def test_stale_means_nothing_heard_for_half_an_hour() -> None:
    rows = fakes.healths()
    assert not is_stale(rows, fakes.NOW)
    assert is_stale(rows, fakes.NOW + HOUR)
    assert not is_stale([], fakes.NOW)


# ------------------------------------------------------------------------------------------------ the message


def test_a_message_is_read_into_plain_pieces() -> None:
    lines = preview(fakes.message(fakes.growing_incident()).blocks)
    assert [line.kind for line in lines] == ["header", "text", "text", "quote", "quote", "quote", "small"]
    assert Piece("39 oroliga röster", "strong") in lines[1].pieces
    assert lines[-1].pieces[-1] == Piece("Öppna i Lyhord", link="https://lyhord.example.org/incidents/3f9c")


def test_a_message_cannot_smuggle_markup_or_other_addresses() -> None:
    lines = preview(
        [
            {"type": "section", "text": {"type": "mrkdwn", "text": "&lt;script&gt; <javascript:alert(1)|x> <!channel>"}},
            {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [
                {"type": "link", "url": "javascript:alert(1)", "text": "y"}]}]},
            {"type": "nobody_knows", "text": "z"},
        ]
    )  # fmt: skip
    pieces = [piece for line in lines for piece in line.pieces]
    assert not any(piece.link for piece in pieces)
    assert "<script>" in "".join(piece.text for piece in pieces)


@given(st.text(st.sampled_from("<>*_`&|!@:/\\ nahtp;.lg"), max_size=60))
def test_no_text_is_lost_or_breaks_the_preview(text: str) -> None:
    lines = preview([{"type": "section", "text": {"type": "mrkdwn", "text": text}}])
    shown = "".join(piece.text for line in lines for piece in line.pieces)
    assert set(re.findall("[a-z]", shown)) <= set(re.findall("[a-z]", text))
