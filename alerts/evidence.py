"""What carries a spike: the parts of it that are above their usual, quotes that speak for many, words and voices
that are new, sources that are heard. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from alerts.plain import brief
from listener.incident import Evidence, Part, Quote
from listener.mention import Mention, Score, Signal
from listener.ports import Dimension
from listener.text import tokenise

QUOTES = 3
DECIDING = 2
"""Words of a quote that are set in bold."""
WORDS = 5
MAX_QUOTE = 240
_READABLE = range(20, 221)
_LEAST_TEXTS, _LEAST_USES, _LEAST_SHARE, _MORE_THAN_BEFORE = 20, 3, 0.15, 3.0
_SPEAKS_FOR = {
    Signal.ANXIETY: ("anxiety", 1),
    Signal.COMPLAINTS: ("complaint", 1),
    Signal.NEGATIVE: ("sentiment", -1),
    Signal.VOLUME: ("sentiment", -1),
}
"""What a reason is about, and the sign of its weight."""
_WORD_LENGTHS = range(3, 31)

Heard = Mapping[str, tuple[bool, str]]
"""Source id → is it heard now, and if not, why, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """What the archive says of the weeks before a window. `usual`: voices by value of each dimension; `mentions`: a sample;
    `authors`: those of the window who were heard then."""

    usual: Mapping[Dimension, Mapping[str, int]]
    mentions: Sequence[Mention]
    authors: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Voices:
    """What the archive says of a window, about one signal. `now`: voices by value of each dimension; `mentions`: all of the
    window's; `hour_before`: voices in the hour before it; `earlier`: None while the archive cannot be asked about the weeks
    before."""

    now: Mapping[Dimension, Mapping[str, int]]
    mentions: Sequence[Mention]
    hour_before: int
    earlier: Earlier | None


def gather(
    voices: Voices, signal: Signal, *, expected: float, heard: Heard, own_words: frozenset[str]
) -> Evidence:
    """The evidence of an incident led by `signal`, of which `expected` voices are usual in the window;
    `own_words` (the brand's name) tell nothing and are left out. What would be compared with weeks that are not known is left
    out, too."""
    earlier = voices.earlier

    def parts(dimension: Dimension) -> tuple[Part, ...]:
        if earlier is None:
            return unsplit(voices.now[dimension])
        whole = sum(earlier.usual[Dimension.CHANNEL].values())
        return split(voices.now[dimension], earlier.usual[dimension], whole=whole, expected=expected)

    return Evidence(
        channels=parts(Dimension.CHANNEL),
        languages=parts(Dimension.LANGUAGE),
        themes=parts(Dimension.THEME),
        places=parts(Dimension.SOURCE),
        words=telling_words(
            [m.text for m in voices.mentions],
            [m.text for m in earlier.mentions] if earlier else [],
            own_words,
        ),
        quotes=choose_quotes(voices.mentions, signal),
        heard=sum(is_heard for is_heard, _ in heard.values()),
        sources=len(heard),
        unheard={source: why for source, (is_heard, why) in heard.items() if not is_heard},
        new_voices=len({m.author for m in voices.mentions if m.author} - earlier.authors) if earlier else 0,
        hour_before=voices.hour_before,
    )


def split(
    now: Mapping[str, int], usual: Mapping[str, int], *, whole: int, expected: float
) -> tuple[Part, ...]:
    """The values that are heard now, each with its share of the `expected` voices; the largest excess first.
    The share is that of `usual` among the `whole` voices of the same weeks. Half a voice is added to each value,
    so that what was never heard before is rare and not impossible."""
    values = len({*now, *usual})
    found = [
        Part(
            value=value,
            observed=count,
            expected=round(expected * (usual.get(value, 0) + 0.5) / (whole + 0.5 * values), 2),
        )
        for value, count in now.items()
    ]
    return tuple(sorted(found, key=lambda part: (-part.excess, -part.observed, part.value)))


def unsplit(now: Mapping[str, int]) -> tuple[Part, ...]:
    """The values that are heard now where nobody knows what is usual; the most voices first."""
    found = [Part(value=value, observed=count, expected=None) for value, count in now.items()]
    return tuple(sorted(found, key=lambda part: (-part.observed, part.value)))


def choose_quotes(mentions: Sequence[Mention], signal: Signal) -> tuple[Quote, ...]:
    """Up to three, each from another cluster and another author: short enough to read, then the strongest; in
    the order in which they were written."""
    ranked = sorted(mentions, key=lambda m: (len(m.text) not in _READABLE, -_strength(m.score, signal), m.id))
    chosen: dict[str, Mention] = {}
    authors: set[str] = set()
    for mention in ranked:
        cluster = mention.cluster or mention.id
        if cluster in chosen or (mention.author and mention.author in authors):
            continue
        chosen[cluster] = mention
        authors.add(mention.author)
        if len(chosen) == QUOTES:
            break
    return tuple(
        _quote(mention, signal) for mention in sorted(chosen.values(), key=lambda m: (m.published_at, m.id))
    )


def telling_words(texts: Sequence[str], before: Sequence[str], own_words: frozenset[str]) -> tuple[str, ...]:
    """Words that a seventh of the texts use, three times as often as those before: the most striking first.
    None when there is too little to compare with, for then every common word would look new."""
    if len(before) < _LEAST_TEXTS or len(texts) < _LEAST_USES:
        return ()
    now, then = _uses(texts), _uses(before)

    def more(word: str) -> float:
        return (now[word] / len(texts)) / ((then[word] + 0.5) / (len(before) + 1))

    least = max(_LEAST_USES, _LEAST_SHARE * len(texts))
    telling = [
        w for w, n in now.items() if n >= least and more(w) >= _MORE_THAN_BEFORE and _is_telling(w, own_words)
    ]
    return tuple(sorted(telling, key=lambda word: (-now[word] * more(word), word))[:WORDS])


def _uses(texts: Sequence[str]) -> Counter[str]:
    return Counter(word for text in texts for word in set(tokenise(text).words))


def _is_telling(word: str, own_words: frozenset[str]) -> bool:
    return len(word) in _WORD_LENGTHS and not word.isdecimal() and word not in own_words


def _strength(score: Score | None, signal: Signal) -> float:
    if score is None:
        return 0.0
    match signal:
        case Signal.ANXIETY:
            return score.anxiety
        case Signal.COMPLAINTS:
            return score.complaint
        case Signal.NEGATIVE | Signal.VOLUME:
            return -score.sentiment


def _deciding(score: Score | None, signal: Signal) -> tuple[str, ...]:
    """The words that spoke most for the signal."""
    about, sign = _SPEAKS_FOR[signal]
    its = [
        reason
        for reason in (score.why if score else ())
        if reason.about == about and reason.weight * sign > 0
    ]
    return tuple(reason.text for reason in sorted(its, key=lambda reason: -abs(reason.weight))[:DECIDING])


def _quote(mention: Mention, signal: Signal) -> Quote:
    return Quote(
        mention=mention.id,
        text=brief(mention.text, MAX_QUOTE),
        channel=mention.channel,
        source=mention.source,
        url=mention.url,
        published_at=mention.published_at,
        why=_deciding(mention.score, signal),
    )
