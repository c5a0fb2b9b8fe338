"""lyhord.toml and the environment: what is wrong is named with its line and what was wanted."""

import contextlib
import re
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listener import settings
from listener.duration import duration_text, parse_duration, parse_hours
from listener.errors import ConfigError

GOOD = """zone = "Europe/Oslo"

[[brands]]
id = "fjelltele"
name = "Fjelltele"
queries = ["fjelltele*"]

[[sources]]
id = "forum"
kind = "forum"
address = "https://forum.example/"
channel = "forum"
every = "10m"

[sources.policy]
basis = "legitimate interest"
retention = "90d"
deletions = "recrawl"

[sources.options]
zone = "Europe/Oslo"

[[rules]]
id = "worry"
brand = "fjelltele"
"""
DECIDES = ("bran", "kind", "effe", "damp")
CALENDAR = """
[[calendar]]
title = "Autumn campaign"
start = 2026-10-24
end = 2026-10-25
brands = ["fjelltele"]
kind = "campaign"
effect = "damp"
damp = 3.0
"""


def test_a_good_file_is_read_with_its_durations_and_defaults() -> None:
    config = settings.parse_config(GOOD)
    source = config.sources[0]
    assert source.every == timedelta(minutes=10)
    assert source.policy is not None
    assert source.policy.retention == timedelta(days=90)
    assert source.options == {"zone": "Europe/Oslo"}
    rule = config.rules[0]
    assert rule.signals == ("anxiety", "complaints")
    assert (rule.by, rule.active_hours, rule.active_days) == (("channel", "language", "theme"), "", ())
    assert config.calendar == ()


def test_days_of_the_calendar_are_whole_and_the_last_is_part_of_it() -> None:
    event = settings.parse_config(GOOD + CALENDAR).calendar[0]
    assert (event.title, event.brands, event.kind) == ("Autumn campaign", ("fjelltele",), "campaign")
    assert (event.effect, event.damp) == ("damp", 3.0)
    start, end = event.span(ZoneInfo("Europe/Oslo"))
    assert start == datetime(2026, 10, 23, 22, tzinfo=UTC)
    assert end == datetime(2026, 10, 25, 23, tzinfo=UTC)  # that day has 25 hours


def test_times_of_the_calendar_are_local_or_have_an_offset() -> None:
    text = CALENDAR.replace("2026-10-24", "2026-10-24T18:00:00").replace("2026-10-25", "2026-10-24T20:00:00Z")
    start, end = settings.parse_config(GOOD + text).calendar[0].span(ZoneInfo("Europe/Oslo"))
    assert (start, end) == (
        datetime(2026, 10, 24, 16, tzinfo=UTC),
        datetime(2026, 10, 24, 20, tzinfo=UTC),
    )


def test_an_event_needs_only_a_title_and_its_times() -> None:
    shortest = "".join(line for line in CALENDAR.splitlines(keepends=True) if line[:4] not in DECIDES)
    event = settings.parse_config(GOOD + shortest).calendar[0]
    assert (event.brands, event.kind, event.effect) == ((), "other", "annotate")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('every = "10m"', 'evry = "10m"', "line 13: sources.1.evry: unknown key; did you mean 'every'?"),
        ('every = "10m"', 'every = "ten"', "line 13: sources.1.every: got 'ten', want a duration such as"),
        ('every = "10m"', "every = 10", "line 13: sources.1.every: got 10, want a duration in quotes"),
        ('channel = "forum"', 'channel = "forums"', "line 12: sources.1.channel: got 'forums'"),
        ('basis = "legitimate interest"', "basis = 3", "line 16: sources.1.policy.basis: got 3"),
        ('retention = "90d"\n', "", "sources.1.policy.retention: is missing"),
        ('deletions = "recrawl"', 'deletions = "never"', "line 18: sources.1.policy.deletions: got 'never'"),
        ('["fjelltele*"]', '["fjelltele AND"]', "line 6: brands.1.queries: AND"),
        ('["fjelltele*"]', "[]", "line 6: brands.1.queries: is empty"),
        ('brand = "fjelltele"', 'brand = "fjeltele"', "line 25: rules.1.brand: got 'fjeltele'"),
        ('zone = "Europe/Oslo"\n\n', 'zone = "Europe/Osla"\n\n', "line 1: zone: got 'Europe/Osla'"),
        ('id = "worry"', 'id = "Worry!"', "line 24: rules.1.id: got 'Worry!'"),
        ("[[rules]]", "[[ruels]]", "unknown key; did you mean 'rules'?"),
        ('name = "Fjelltele"', "name = ", "not TOML"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(old: str, new: str, told: str) -> None:
    assert old in GOOD
    with pytest.raises(ConfigError) as error:
        settings.parse_config(GOOD.replace(old, new, 1), "lyhord.toml")
    assert told in str(error.value)
    assert str(error.value).startswith("lyhord.toml")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('active_hours = "7-22"', "rules.1.active_hours: got '7-22', want hours such as 07:00-22:00"),
        ('active_hours = "07:00-24:30"', "rules.1.active_hours: got '07:00-24:30', want times from"),
        ('active_hours = "07:60-08:00"', "rules.1.active_hours: got '07:60-08:00', want times from"),
        ('active_hours = "07:00-07:00"', "rules.1.active_hours: got '07:00-07:00', want two different"),
        ('active_days = ["mon", "Tue"]', "rules.1.active_days: got 'Tue', want one of mon, tue"),
        ('active_days = ["mon", "mon"]', "rules.1.active_days: got 'mon' twice, want it once"),
        ('by = ["channels"]', "rules.1.by: got 'channels', want one of channel, language, theme, source; "
         "did you mean 'channel'?"),
        ("signals = []", "rules.1.signals: is empty, want at least one of anxiety"),
        ("false_alarms_per_30_days = nan", "rules.1.false_alarms_per_30_days: got nan, want a number above 0"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_rule_is_named_with_its_line(line: str, told: str) -> None:
    with pytest.raises(ConfigError) as error:
        settings.parse_config(GOOD + line, "lyhord.toml")
    assert str(error.value).startswith(f"lyhord.toml, line 26: {told}")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"Autumn campaign"', '" "', "line 28: calendar.1.title: is empty, want what happens"),
        ("end = 2026-10-25", "end = 2026-10-23", "line 30: calendar.1.end: got 2026-10-23, want what is later than"),
        ("start = 2026-10-24", 'start = "2026-10-24"', "line 29: calendar.1.start: got '2026-10-24', want a day or"),
        ("start = 2026-10-24", "start = 18:00:00", "line 29: calendar.1.start: got '18:00:00', want a day or"),
        ("end = 2026-10-25\n", "", "line 27: calendar.1.end: is missing"),
        ("end = 2026-10-25", "end = 9999-12-31", "line 30: calendar.1.end: got 9999-12-31, want an earlier day"),
        ("start = 2026-10-24", "start = 0001-01-01", "line 27: calendar.1: got 0001-01-01 to 2026-10-25, want years"),
        ('["fjelltele"]\nkind', '["fjeltele"]\nkind', "line 31: calendar.1.brands: got 'fjeltele', want one of fjelltele"),
        ('"campaign"', '"sale"', "line 32: calendar.1.kind: got 'sale', want one of campaign, release, outage, other"),
        ('"damp"', '"dampen"', "line 33: calendar.1.effect: got 'dampen', want one of annotate, damp"),
        ('effect = "damp"\n', "", 'line 33: calendar.1.damp: got 3.0 with effect = "annotate", want effect = "damp"'),
        ("damp = 3.0", "damp = 1", "line 34: calendar.1.damp: got 1.0, want how many times"),
        ("damp = 3.0", "damp = inf", "line 34: calendar.1.damp: got inf, want how many times"),
        ("kind =", "knid =", "line 32: calendar.1.knid: unknown key; did you mean 'kind'?"),
        ("[[calendar]]", "[[calender]]", "line 27: calender: unknown key; did you mean 'calendar'?"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_the_calendar_is_named_with_its_line(old: str, new: str, told: str) -> None:
    assert old in GOOD + CALENDAR
    with pytest.raises(ConfigError) as error:
        settings.parse_config(GOOD + CALENDAR.replace(old, new, 1), "lyhord.toml")
    assert str(error.value).startswith(f"lyhord.toml, {told}")


def test_the_example_of_the_manual_is_good() -> None:
    manual = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```toml\n(.+?)```", manual, re.DOTALL)
    config = settings.parse_config(GOOD + example)
    assert [event.effect for event in config.calendar] == ["damp", "annotate"]
    assert config.rules[1].active_hours == "07:00-22:00"


def test_two_of_one_id_are_refused_at_the_second() -> None:
    twice = GOOD + GOOD[GOOD.index("[[rules]]") :]
    with pytest.raises(ConfigError, match=r"line 27: rules\.2\.id: 'worry' is taken already"):
        settings.parse_config(twice)


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="lyhord init"):
        settings.load(tmp_path / "none.toml")


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    with contextlib.suppress(ConfigError):
        settings.parse_config(text)


def test_a_misspelt_secret_is_an_error_without_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LYHORD_SLACK_TOKN", "xoxb-very-secret")
    with pytest.raises(ConfigError, match="did you mean LYHORD_SLACK_TOKEN") as error:
        settings.load_secrets()
    assert "very-secret" not in str(error.value)


def test_a_secret_may_come_from_a_file_and_is_never_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("xoxb-very-secret\n")
    monkeypatch.setenv("LYHORD_SLACK_TOKEN_FILE", str(tmp_path / "token"))
    secrets = settings.load_secrets()
    assert secrets.slack_token == "xoxb-very-secret"
    assert "very-secret" not in repr(secrets)


@pytest.mark.parametrize(
    ("storage", "wanted"),
    [
        ('ledger = "postgresql://lyhord:hunter2@db/lyhord"', "LYHORD_LEDGER_PASSWORD"),
        ('broker = "redis://:hunter2@queue:6379/0"', "LYHORD_BROKER_PASSWORD"),
        ('archive = "https://elastic:hunter2@search:9200"', "LYHORD_ARCHIVE_API_KEY"),
    ],
)
def test_a_password_in_the_file_is_refused_and_not_repeated(storage: str, wanted: str) -> None:
    with pytest.raises(ConfigError, match=f"line 2: storage.*want that in {wanted} only") as error:
        settings.parse_config(f"[storage]\n{storage}\n")
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize(
    "storage", ['ledger = "mysql://db/x"', 'archive = "redis://x"', 'broker = "kafka://x"']
)
def test_an_address_of_another_kind_is_refused(storage: str) -> None:
    with pytest.raises(ConfigError, match="want an address that begins with"):
        settings.parse_config(f"[storage]\n{storage}\n")


def test_passwords_join_their_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LYHORD_LEDGER_PASSWORD", "a/b@c")
    monkeypatch.setenv("LYHORD_BROKER_PASSWORD", "x")
    config = settings.parse_config(
        '[storage]\nledger = "postgresql://lyhord@db/lyhord"\nbroker = "redis://queue:6379/1"\n'
    )
    assert settings.ledger_url(config) == "postgresql://lyhord:a%2Fb%40c@db/lyhord"
    assert settings.broker_url(config) == "redis://:x@queue:6379/1"


@given(st.text(alphabet="ab:@/%å", max_size=8))
def test_what_is_split_off_an_address_is_what_was_joined(password: str) -> None:
    joined = settings.with_password("postgresql://lyhord@db/lyhord", password)
    assert settings.split_password(joined) == ("postgresql://lyhord@db/lyhord", password)


def test_an_address_without_password_is_left_alone() -> None:
    for url in ("sqlite:////data/ledger.db", "http://[::1]:9200/prefix", "redis://queue:6379/0", ""):
        assert settings.split_password(url) == (url, "")


def test_the_pseudonym_key_is_made_once_and_for_our_eyes_only(tmp_path: Path) -> None:
    config = settings.in_folder(settings.parse_config(GOOD), tmp_path / "data")
    first = settings.pseudonym_key(config, settings.Secrets())
    assert settings.pseudonym_key(config, settings.Secrets()) == first
    assert len(first) >= 32
    assert stat.S_IMODE((tmp_path / "data" / "pseudonym.key").stat().st_mode) == 0o600


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=10_000)))
def test_durations_are_read_as_they_are_written(length: timedelta) -> None:
    whole = timedelta(seconds=round(length.total_seconds()))
    assert parse_duration(duration_text(whole)) == whole


@given(st.text(alphabet="0123456789:- –", max_size=14) | st.text(max_size=14))
def test_hours_are_read_or_refused_in_words(text: str) -> None:
    with contextlib.suppress(ValueError):
        first, last = parse_hours(text)
        assert 0 <= first < 1440
        assert 0 < last - first <= 1440


@given(st.integers(0, 1439), st.integers(0, 1440))
def test_hours_are_minutes_after_the_midnight_before_them(first: int, last: int) -> None:
    text = f"{first // 60}:{first % 60:02} - {last // 60:02}:{last % 60:02}"
    if first != last:
        assert parse_hours(text) == (first, last if last > first else last + 1440)
