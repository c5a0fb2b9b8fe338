"""The demo's texts as values. They stand in the TOML files beside this module; each file explains its own fields."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

LANGUAGES = ("sv", "nb")


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """One part of the forum."""

    id: str
    name: str
    about: str


@dataclass(frozen=True, slots=True)
class Start:
    """How a thread begins; `tag` names the question within its topic."""

    title: str
    text: str
    tag: str


@dataclass(frozen=True, slots=True)
class Line:
    """A reply, and the tags of the threads that it fits; without tags it fits every thread of its topic."""

    text: str
    tags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """What people talk about: how threads begin, and replies by mood."""

    board: str
    language: str
    brand: bool
    weight: float
    starts: tuple[Start, ...]
    replies: tuple[Line, ...]
    complaints: tuple[Line, ...]
    worries: tuple[Line, ...]
    nynorsk: tuple[Line, ...]
    asides: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A thread that goes on for weeks, or the pinned one (`author` is then its moderator). What is said in it are the
    replies of its own board, or with `whole_brand` those of every board."""

    board: str
    language: str
    brand: bool
    title: str
    text: str
    author: str = ""
    whole_brand: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CrisisThread:
    """`posts` are (stage 1–5, mood, text) in the order of the story."""

    board: str
    language: str
    title: str
    evergreen: bool
    posts: tuple[tuple[int, str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One article."""

    language: str
    outlet: str
    title: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PressCopy:
    """A press release as somebody took it over. `place` is "feed" or a board; `author` an outlet or a handle."""

    place: str
    author: str
    title: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    boards: tuple[Board, ...]
    pinned: Standing
    evergreens: tuple[Standing, ...]
    topics: tuple[Topic, ...]
    slots: Mapping[str, Mapping[str, tuple[str, ...]]]
    """Language → slot → values."""
    handles: Mapping[str, tuple[str, ...]]
    crisis: tuple[CrisisThread, ...]
    articles: tuple[Report, ...]
    crisis_articles: tuple[Report, ...]
    press: tuple[PressCopy, ...]
    """The company's own release first."""


@cache
def load() -> Texts:
    """All texts; read once."""
    forum, news = _read("forum"), _read("news")
    daily = {language: _read(language) for language in LANGUAGES}
    return Texts(
        boards=tuple(Board(**board) for board in forum["boards"]),
        pinned=Standing(brand=False, **forum["pinned"]),
        evergreens=tuple(
            Standing(language=language, **thread)
            for language in LANGUAGES
            for thread in daily[language]["evergreen"]
        ),
        topics=tuple(
            _topic(language, topic) for language in LANGUAGES for topic in daily[language]["topics"]
        ),
        slots={language: _tuples(daily[language]["slots"]) for language in LANGUAGES},
        handles=_tuples(forum["handles"]),
        crisis=tuple(_crisis_thread(thread) for thread in _read("crisis")["threads"]),
        articles=_reports(news["articles"]),
        crisis_articles=_reports(news["crisis"]),
        press=_press(news["press"]),
    )


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(files(__name__).joinpath(f"{name}.toml").read_text(encoding="utf-8"))


def _tuples(table: Mapping[str, list[str]]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(values) for name, values in table.items()}


def _topic(language: str, table: Mapping[str, Any]) -> Topic:
    moods = ("replies", "complaints", "worries", "nynorsk")
    return Topic(
        board=table["board"],
        language=language,
        brand=table["brand"],
        weight=table["weight"],
        starts=tuple(Start(*start) for start in table["starts"]),
        asides=tuple(table["asides"]),
        **{mood: tuple(_line(text) for text in table.get(mood, ())) for mood in moods},
    )


def _line(text: str) -> Line:
    if not text.startswith("@"):
        return Line(text)
    tags, text = text[1:].split(" ", maxsplit=1)
    return Line(text, frozenset(tags.split(",")))


def _crisis_thread(table: Mapping[str, Any]) -> CrisisThread:
    return CrisisThread(
        board=table["board"],
        language=table["language"],
        title=table["title"],
        evergreen=table.get("evergreen", False),
        posts=tuple((stage, mood, text) for stage, mood, text in table["posts"]),
    )


def _reports(rows: list[list[str]]) -> tuple[Report, ...]:
    return tuple(Report(language=row[0], outlet=row[1], title=row[2], text=row[3]) for row in rows)


def _press(table: Mapping[str, Any]) -> tuple[PressCopy, ...]:
    body: list[str] = table["body"]
    copies = []
    for place, author, title, first, left_out, last in table["copies"]:
        kept = [paragraph for number, paragraph in enumerate(body) if number != left_out]
        text = "\n\n".join(part for part in (first, *kept, last) if part)
        copies.append(PressCopy(place=place, author=author, title=title, text=text))
    return tuple(copies)
