"""lyhord.toml and the environment: what is wrong is named with its line and what was wanted."""

import contextlib
import stat
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listener import settings
from listener.duration import duration_text, parse_duration
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


def test_a_good_file_is_read_with_its_durations_and_defaults() -> None:
    config = settings.parse_config(GOOD)
    source = config.sources[0]
    assert source.every == timedelta(minutes=10)
    assert source.policy is not None
    assert source.policy.retention == timedelta(days=90)
    assert source.options == {"zone": "Europe/Oslo"}
    assert config.rules[0].signals == ("anxiety", "complaints")


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
