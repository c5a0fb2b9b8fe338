"""What a table of words holds. A phrase's {names} are filled in by `alerts.message`; a test
holds that each language fills in the same ones."""

from collections.abc import Mapping
from dataclasses import dataclass

from listener.incident import State
from listener.mention import Signal


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """Phrases of one language. Pairs are (one, many)."""

    title: Mapping[Signal, str]
    title_over: Mapping[Signal, str]
    voices: Mapping[Signal, tuple[str, str]]
    all_of: Mapping[Signal, str]
    """The signal as a subject at the start of a sentence."""
    state: Mapping[State, str]
    since: str
    last_hour: str
    hour_before: str
    usual: str
    usual_none: str
    """The same where the normal range is nothing at all."""
    almost_none: str
    follows: str
    unchanged: str
    share_up: str
    share_same: str
    new_voices: str
    """The four weeks are `alerts.watch.USUAL_SOURCES`."""
    known_cause: str
    new_normal: str
    decimal_mark: str
    over: str
    not_over_yet: str
    about: str
    striking: str
    part: str
    """What carries the excess: a channel, language, theme or source with its count and the usual one."""
    mostly_in: str
    mostly_from: str
    mostly_language: str
    conjunction: str
    quote: str
    heard_all: str
    heard_some: str
    coverage: str
    search_away: str
    """The two days are `Away.known_from`."""
    nobody_yet: str
    taken: str
    snoozed: str
    marked: str
    verdicts: Mapping[str, str]
    level: str
    severities: tuple[str, str, str, str]
    open_console: str
    channels: Mapping[str, str]
    languages: Mapping[str, str]
    themes: Mapping[str, str]
    weekdays: tuple[str, str, str, str, str, str, str]
