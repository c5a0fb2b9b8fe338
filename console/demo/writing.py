"""How the people of the demo write: templates filled, handles made up, habits of typing. Pure; chance comes in as `rng`."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

_CHOICE = re.compile(r"\[([^\[\]]*\|[^\[\]]*)\]")
_SLOT = re.compile(r"(^|[.!?] )?\{(\w+?)(2?)\}")
_LONG_WORD = re.compile(r"\b[a-zåäöæø]{6,}\b")
_WITHOUT_KEYS = {
    "sv": str.maketrans({"å": "a", "ä": "a", "ö": "o", "Å": "A", "Ä": "A", "Ö": "O"}),
    "nb": str.maketrans({"å": "aa", "æ": "ae", "ø": "oe", "Å": "Aa", "Æ": "Ae", "Ø": "Oe"}),
}
_HABITS = {"plain": 74, "lower": 11, "ascii": 5, "emoji": 5, "hasty": 5}
_SMILEYS = (":)", "😊", "👍", "😄", ";)", "🙂")
_PARTS_OF_DAY = {
    "sv": ("i natt", "i morse", "i dag", "i kväll"),
    "nb": ("i natt", "i morges", "i dag", "i kveld"),
}


@dataclass(frozen=True, slots=True)
class Author:
    """A handle and its habit of typing: plain, lower, ascii, emoji or hasty."""

    handle: str
    habit: str = "plain"


@dataclass(slots=True)
class DraftPost:
    """A post before it has an id."""

    at: datetime
    author: str
    text: str


@dataclass(slots=True)
class Draft:
    """A thread while it is being written. `used` are its templates, so that nobody says the same twice;
    `slots` what the title fixed."""

    title: str
    board: str
    language: str
    brand: bool
    pinned: bool = False
    evergreen: bool = False
    tag: str = ""
    posts: list[DraftPost] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    slots: dict[str, str] = field(default_factory=dict)


def fill(template: str, values: Mapping[str, Collection[str]], rng: Random, known: dict[str, str]) -> str:
    """The template with one alternative of each [a|b] and a value in each {slot}; a slot keeps its value within `known`,
    which is filled on the way. {place2} is another {place}. Raises KeyError for an unknown slot."""
    text = _CHOICE.sub(lambda match: rng.choice(match[1].split("|")), template)

    def value(match: re.Match[str]) -> str:
        before, name, second = match[1], match[2], match[3]
        if name + second not in known:
            taken = known.get(name) if second else None
            known[name + second] = rng.choice([option for option in values[name] if option != taken])
        word = known[name + second]
        return word if before is None else before + word[:1].upper() + word[1:]

    return _SLOT.sub(value, text)


def in_habit(text: str, habit: str, language: str, rng: Random) -> str:
    """The text as an author with that habit types it."""
    match habit:
        case "lower":
            return text.lower().removesuffix(".")
        case "ascii":
            return text.translate(_WITHOUT_KEYS[language])
        case "emoji":
            return f"{text} {rng.choice(_SMILEYS)}"
        case "hasty":
            return _with_slip(text, rng)
        case _:
            return text


def _with_slip(text: str, rng: Random) -> str:
    words = list(_LONG_WORD.finditer(text))
    if not words:
        return text
    start = rng.choice(words).start() + rng.randrange(1, 4)
    return text[:start] + text[start + 1] + text[start] + text[start + 2 :]


def time_words(at: datetime, language: str, rng: Random) -> dict[str, str]:
    """{today} and {clock} as somebody writing at the local time `at` would say them."""
    night, morning, day, evening = _PARTS_OF_DAY[language]
    today = (
        night
        if at.hour < 5 or at.hour >= 23
        else morning
        if at.hour < 10
        else day
        if at.hour < 17
        else evening
    )
    clock = at - timedelta(minutes=rng.randrange(20, 50))
    return {"today": today, "clock": clock.strftime("%H:%M" if language == "sv" else "%H.%M")}


class Crowd:
    """Makes up authors, each handle once."""

    def __init__(self, handles: Mapping[str, tuple[str, ...]], rng: Random) -> None:
        self._handles = handles
        self._rng = rng
        self._taken: set[str] = set()

    def newcomer(self, language: str) -> Author:
        """Somebody who has not been here before."""
        while True:
            handle = self._handle(language)
            if handle.casefold() not in self._taken:
                self._taken.add(handle.casefold())
                (habit,) = self._rng.choices(list(_HABITS), weights=list(_HABITS.values()))
                return Author(handle, habit)

    def _handle(self, language: str) -> str:
        rng = self._rng
        country = "sv" if language == "sv" else "no"
        name = rng.choice(self._handles[f"names_{country}"])
        thing, place = rng.choice(self._handles[f"things_{country}"]), rng.choice(self._handles["places"])
        forms = (name + place, f"{thing}_{name}", f"{name}{rng.randrange(51, 100)}", f"{name}.{thing}",
                 thing + name, f"{thing}{rng.randrange(1, 99)}", f"{name.capitalize()}_{thing[0].upper()}", name)  # fmt: skip
        return rng.choice(forms)
