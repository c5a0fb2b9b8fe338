"""English sentiment by the rules of VADER, to the last digit what vaderSentiment 3.3.2 answers, in a fraction of the time.

VADER is by C. J. Hutto and E. Gilbert: "VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media Text",
ICWSM-14 (2014). Its rating of words and its names of emoji are read from the installed package `vaderSentiment` (© 2016
C. J. Hutto, MIT licence); the program here is our own. tests/workers/test_vader.py holds the two together.

Where the package behaves in a way that nobody may have meant, so do we: the point is that its published figures hold for us.
Those places say "as published". Pure, but for reading the two files when a Vader is built.
"""

import heapq
import math
import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

_PACKAGE = "vaderSentiment"
_LEXICON, _EMOJI = "vader_lexicon.txt", "emoji_utf8_lexicon.txt"
_RATED = re.compile(r"^([^\t\n]+)\t([^\t\n]+)", re.MULTILINE)
_EMOJI_NAMED = re.compile(r"^(.)\t(.+)$", re.MULTILINE)
"""As published, only emoji of one character are ever found, so only those are read."""

_BOOST = 0.293
_FADES = (1.0, 0.95, 0.9)
"""What is left of a booster one, two and three words before the word that it strengthens."""
_SHOUT = 0.733
_NEGATION = -0.74
_NEVER_SO = 1.25
_EXCLAMATION, _MOST_EXCLAMATIONS = 0.292, 4
_QUESTION, _QUESTIONS_COUNTED, _MANY_QUESTIONS = 0.18, 3, 0.96
_BEFORE_BUT, _AFTER_BUT = 0.5, 1.5
_SQUEEZE = 15

_STRENGTHENERS = """
absolutely amazingly awfully completely considerable considerably decidedly deeply effing enormous enormously entirely
especially exceptional exceptionally extreme extremely fabulously flippin flipping frackin fracking frickin fricking friggin
frigging fuckin fucking fuggin fugging fully greatly hella highly hugely incredible incredibly intensely major majorly more
most particularly purely quite really remarkably so substantially thoroughly total totally tremendous tremendously uber
unbelievably unusually utter utterly very
"""
_WEAKENERS = """
almost barely hardly kind-of kinda kindof less little marginal marginally occasional occasionally partly scarce scarcely
slight slightly somewhat sort-of sorta sortof
"""
_BOOSTS = dict.fromkeys(_STRENGTHENERS.split(), _BOOST) | dict.fromkeys(_WEAKENERS.split(), -_BOOST)
_WEAKENING_PAIRS = {("just", "enough"), ("kind", "of"), ("sort", "of")}
_NEGATIONS = """
aint arent cannot cant couldnt darent despite didnt doesnt dont hadnt hasnt havent isnt mightnt mustnt neednt neither
never none nope nor not nothing nowhere oughtnt rarely seldom shant shouldnt uh-uh uhuh wasnt werent without wont wouldnt
"""
_NEGATORS = frozenset(_NEGATIONS.split())
"""Besides every word with n't in it."""
_IDIOMS: Mapping[tuple[str, ...], float] = {
    ("the", "shit"): 3.0,
    ("the", "bomb"): 3.0,
    ("bad", "ass"): 1.5,
    ("bus", "stop"): 0.0,
    ("yeah", "right"): -2.0,
    ("kiss", "of", "death"): -1.5,
    ("to", "die", "for"): 3.0,
    ("beating", "heart"): 3.5,
}
"""As published, only phrases of two and three words are ever looked up, and the idioms without a rated word never are."""
_SO = ("so", "this")
_FREQUENT = {"at", "for", "of", "the", "to"}
"""Words of phrases and idioms that stand everywhere; each phrase has another word by which it is noticed."""
_PHRASE_WORDS = {word for phrase in (*_IDIOMS, *_WEAKENING_PAIRS) for word in phrase} - _FREQUENT
_NAMED = _PHRASE_WORDS | _FREQUENT | {"or", "but", "this", "least"}
"""Unrated words that some rule calls by name; of all others, but for boosters and negators, only the case matters."""
_MOVES, _NO, _LEAST, _PHRASE = 1, 2, 4, 8
"""Which rules to try when a word stands up to three places before a rated word, or is it: boosting and negating, and three that
words by name start."""
_NAMED_RULES = dict.fromkeys(_PHRASE_WORDS, _PHRASE) | {"this": _MOVES, "no": _NO, "least": _LEAST}

_FAR = "\U00010000"
"""From here on a regular expression wants ranges: it would try single characters one after the other."""
_REMEMBERED_TOKENS, _REMEMBERED_CHARS = 50_000, 40
"""Some 6 MB at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Polarity:
    """Shares of a text's words that are `negative`, `neutral`, `positive` (sum about 1, all 0 without words), to 3 digits, and
    `compound` in -1..1, to 4 digits."""

    negative: float
    neutral: float
    positive: float
    compound: float


@dataclass(slots=True, eq=False)
class _Word:
    """What the rules want to know of a token. `valence` None: not rated. A rated word neither boosts nor negates.

    Never changed; neither frozen nor kw_only, because making one would take five times as long."""

    lower: str = ""
    valence: float | None = None
    boost: float = 0.0
    negates: bool = False
    shouted: bool = False
    stirs: int = 0
    """Sum of the rules to try near it."""
    notable: bool = False
    """Rated, or "but"."""


_PLAIN, _PLAIN_SHOUTED = _Word(), _Word(shouted=True)
_BEFORE = (_Word(valence=0.0, shouted=True),) * 3
_BEHIND = (_Word(shouted=True),) * 2
_STAND_INS = len(_BEFORE) + len(_BEHIND)
"""Stand-ins outside the text. As rated words are passed over by the rules for preceding ones, so is what does not exist; and no
rule takes them for a word that is not in capitals."""


class _Vocabulary(dict[str, _Word]):
    """Token → word, for the tokens seen lately: texts repeat themselves. Threads may share it: entries never differ, at worst
    one is made twice."""

    def __init__(self, lexicon: Mapping[str, str]) -> None:
        """`lexicon`: word → valence as written, for most of them are never asked for."""
        super().__init__()
        self._lexicon = lexicon
        self._meaningful = _NAMED.union(_BOOSTS, _NEGATORS, lexicon)

    def __missing__(self, token: str) -> _Word:
        bare = token.strip(string.punctuation)
        if len(bare) <= 2:  # an emoticon, perhaps
            bare = token
        lower, shouted = bare.lower(), bare.isupper()
        if lower in self._meaningful or "n't" in lower:
            word = self._word(lower, shouted)
        else:
            word = _PLAIN_SHOUTED if shouted else _PLAIN
        if len(token) <= _REMEMBERED_CHARS:
            if len(self) >= _REMEMBERED_TOKENS:
                self.clear()
            self[token] = word
        return word

    def _word(self, lower: str, shouted: bool) -> _Word:
        valence = float(self._lexicon[lower]) if lower in self._lexicon else None
        boost = _BOOSTS.get(lower, 0.0) if valence is None else 0.0
        negates = valence is None and (lower in _NEGATORS or "n't" in lower)
        stirs = _NAMED_RULES.get(lower, 0) | (_MOVES if boost or negates else 0)
        notable = valence is not None or lower == "but"
        return _Word(lower, valence, boost, negates, shouted, stirs, notable)


class Vader:
    """`Vader().compound("Not bad at all!")`. Building one reads two files; have one per process, threads may share it.

    Never raises for a str, whatever is in it; the time is linear in its length (n log n behind a "but")."""

    def __init__(self) -> None:
        self._word_of = _Vocabulary(dict(_rows(_LEXICON, _RATED))).__getitem__
        self._names = {emoji: " " + name for emoji, name in _rows(_EMOJI, _EMOJI_NAMED)}
        near = "".join(emoji for emoji in self._names if emoji < _FAR)
        self._emoji = re.compile(f"[{re.escape(near)}{_FAR}-\U0010ffff]")

    def compound(self, text: str) -> float:
        """Sentiment in -1..1, to 4 digits."""
        text = self._spelled_out(text)
        charges = _charges([*_BEFORE, *map(self._word_of, text.split()), *_BEHIND])
        return _compound(charges, _emphasis(text)) if charges else 0.0

    def scores(self, text: str) -> Polarity:
        """`compound`, and the shares of negative, neutral and positive words."""
        text = self._spelled_out(text)
        words = [*_BEFORE, *map(self._word_of, text.split()), *_BEHIND]
        return _polarity(_charges(words), len(words) - _STAND_INS, _emphasis(text))

    def _spelled_out(self, text: str) -> str:
        """Emoji become words. As published, what follows is glued to the name's last word."""
        if text.isascii():
            return text
        return self._emoji.sub(lambda found: self._names.get(found[0], found[0]), text)


def _rows(name: str, row: re.Pattern[str]) -> list[tuple[str, str]]:
    """Pairs from one of the package's files."""
    return row.findall(files(_PACKAGE).joinpath(name).read_text("utf-8"))


def _charges(words: list[_Word]) -> list[float]:
    """The valences of the rated words in their contexts, in order. `words` with the stand-ins."""
    notable = [place for place, word in enumerate(words) if word.notable]
    if not notable:
        return []
    mixed = _PLAIN in words or not all(word.shouted for word in words)
    charges: list[float] = []
    before_but = -1
    for place in notable:
        if words[place].valence is not None:
            charges.append(_in_context(words[place - 3 : place + 3], mixed))
        elif before_but < 0:
            before_but = len(charges)
    return charges if before_but < 0 else _turned(charges, before_but)


def _in_context(window: Sequence[_Word], mixed: bool) -> float:
    """The valence of the fourth of six words, after three and before two. `mixed`: not every word of the text is in capitals."""
    three, two, one, word, _, _ = window
    valence = word.valence or 0.0
    stirred = three.stirs | two.stirs | one.stirs | word.stirs
    if stirred & _NO:
        valence = _near_no(valence, window)
    if word.shouted and mixed:
        valence = _shouted(valence, valence)
    if stirred & _MOVES:
        valence = _after_neighbours(valence, one, two, mixed)
        if three.valence is None:
            valence = _after_third(valence, window, mixed)
    if stirred & _PHRASE:
        valence = _in_phrase(valence, window)
    if stirred & _LEAST and one.lower == "least" and two.lower not in ("at", "very"):
        valence *= _NEGATION
    return valence


def _near_no(valence: float, window: Sequence[_Word]) -> float:
    """A "no" before a rated word negates it, and counts for nothing itself."""
    three, two, one, word, after, _ = window
    if "no" in (one.lower, two.lower) or (three.lower == "no" and one.lower in ("or", "nor")):
        return valence * _NEGATION
    return 0.0 if word.lower == "no" and after.valence is not None else valence


def _after_neighbours(valence: float, one: _Word, two: _Word, mixed: bool) -> float:
    """What the last and the last but one word before do to the valence."""
    if one.boost:
        valence = _boosted(valence, one, 0, mixed)
    if one.negates:
        valence *= _NEGATION
    if two.boost:
        valence = _boosted(valence, two, 1, mixed)
    if two.lower == "never" and one.lower in _SO:
        valence *= _NEVER_SO
    elif two.negates and not (two.lower == "without" and one.lower == "doubt"):
        valence *= _NEGATION
    return valence


def _after_third(valence: float, window: Sequence[_Word], mixed: bool) -> float:
    """What the third word before does. As published, "so" or "this" right before strengthens here without any "never"."""
    three, two, one = window[:3]
    if three.boost:
        valence = _boosted(valence, three, 2, mixed)
    if (three.lower == "never" and two.lower in _SO) or one.lower in _SO:
        valence *= _NEVER_SO
    elif three.negates and not (three.lower == "without" and "doubt" in (two.lower, one.lower)):
        valence *= _NEGATION
    return valence


def _in_phrase(valence: float, window: Sequence[_Word]) -> float:
    """The valence of an idiom that ends up to two words before, at or begins with the fourth word; weakening phrases before it.

    As published: an idiom outweighs everything that was said before it, a weakening phrase pulls even a negative word down, and
    neither is looked for behind a rated word or within the first three words of a text."""
    a, b, c, word, d, e = [word.lower for word in window]
    if word == "kind" and d == "of":
        return 0.0
    if window[0].valence is not None:
        return valence
    ending = ((c, word), (b, c, word), (b, c), (a, b, c), (a, b))
    valence = next((_IDIOMS[phrase] for phrase in ending if phrase in _IDIOMS), valence)
    valence = _IDIOMS.get((word, d), valence)
    valence = _IDIOMS.get((word, d, e), valence)
    for pair in ((a, b), (b, c)):
        if pair in _WEAKENING_PAIRS:
            valence -= _BOOST
    return valence


def _boosted(valence: float, booster: _Word, distance: int, mixed: bool) -> float:
    boost = -booster.boost if valence < 0 else booster.boost
    if booster.shouted and mixed:
        boost = _shouted(boost, valence)
    return valence + boost * _FADES[distance]


def _shouted(value: float, valence: float) -> float:
    """Further in the direction of `valence`; as published, a valence of 0 counts as negative."""
    return value + _SHOUT if valence > 0 else value - _SHOUT


def _turned(charges: list[float], before_but: int) -> list[float]:
    """Half of what stands before the first "but" (the first `before_but`), half as much again of what comes after.

    As published: at each turn the *first* charge that equals the present one is changed. That is the present one, unless
    an earlier one was changed to the same value."""
    values = [c * _BEFORE_BUT for c in charges[:before_but]] + [c * _AFTER_BUT for c in charges[before_but:]]
    if set(charges).isdisjoint(values):
        return values
    values = charges.copy()
    places: dict[float, list[int]] = {}
    for place, value in enumerate(values):
        places.setdefault(value, []).append(place)
    for turn in range(len(values)):
        first = heapq.heappop(places[values[turn]])
        values[first] *= _BEFORE_BUT if first < before_but else _AFTER_BUT
        heapq.heappush(places.setdefault(values[first], []), first)
    return values


def _emphasis(text: str) -> float:
    """Up to four exclamation marks count, and question marks from the second on."""
    exclamations, questions = text.count("!"), text.count("?")
    emphasis = (exclamations if exclamations < _MOST_EXCLAMATIONS else _MOST_EXCLAMATIONS) * _EXCLAMATION
    if questions > 1:
        emphasis += questions * _QUESTION if questions <= _QUESTIONS_COUNTED else _MANY_QUESTIONS
    return emphasis


def _compound(charges: Sequence[float], emphasis: float) -> float:
    total = float(sum(charges))
    if total > 0:
        total += emphasis
    elif total < 0:
        total -= emphasis
    return round(total / math.sqrt(total * total + _SQUEEZE), 4)


def _polarity(charges: Sequence[float], words: int, emphasis: float) -> Polarity:
    """Each charged word counts its charge and 1, each other word 1.

    Added one by one: sum() rounds otherwise since Python 3.12."""
    if not words:
        return Polarity(negative=0.0, neutral=0.0, positive=0.0, compound=0.0)
    positive = negative = 0.0
    neutral = words
    for charge in charges:
        if charge > 0:
            positive += charge + 1
            neutral -= 1
        elif charge < 0:
            negative += 1 - charge
            neutral -= 1
    if positive > negative:
        positive += emphasis
    elif positive < negative:
        negative += emphasis
    total = positive + negative + neutral
    return Polarity(
        negative=round(negative / total, 3),
        neutral=round(neutral / total, 3),
        positive=round(positive / total, 3),
        compound=_compound(charges, emphasis),
    )
