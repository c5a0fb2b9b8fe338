"""The first scorer behind the port `listener.ports.Scorer`: word lists, with negation, and VADER for English sentiment.

Honest about what it is: it sees words, not meaning. Irony, implicit complaints and unusual wording pass it by; the figures are in
docs/scoring.md. The flags ask for more than one weak sign, because an alert must not rest on a single ambiguous word.
"""

import math
from collections.abc import Sequence

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from listener.mention import LANGUAGES, THEMES, UNDETERMINED, Reason, Score
from listener.text import tokenise
from workers.scoring.lexicon import Lexicon, load_lexicons
from workers.scoring.phrases import Hit, best_per_place

MODEL = "lexicon-1"
ANXIOUS = COMPLAINING = 0.5
NEGATIVE = -0.25
_BIAS_ANXIETY, _BIAS_COMPLAINT = -2.4, -1.6
_NEGATION_REACH = 3
_AGAINST = {"calm": ("anxiety", -1), "praise": ("complaint", -1)}
_MOST_REASONS = 6
_LONG = 5_000
"""Characters that are looked at: what decides a customer's text stands at its beginning."""


class LexiconScorer:
    """`LexiconScorer().score([(text, language)])`; loading takes some ten milliseconds, scoring some ten microseconds a text."""

    model = MODEL

    def __init__(self) -> None:
        self._lexicons = load_lexicons()
        self._vader = SentimentIntensityAnalyzer()

    def score(self, texts: Sequence[tuple[str, str]]) -> list[Score]:
        return [self._one(text[:_LONG], language) for text, language in texts]

    def _one(self, text: str, language: str) -> Score:
        lexicon = self._lexicons.get(language)
        if lexicon is None:
            return Score(
                language=language if language in LANGUAGES else UNDETERMINED, sentiment=0.0, anxiety=0.0, complaint=0.0,
                is_anxious=False, is_complaint=False, is_negative=False, model=MODEL,
            )  # fmt: skip
        words = tokenise(text).words
        hits = best_per_place(lexicon.phrases.find(words))
        sums, reasons = _weigh(hits, words, lexicon)
        anxiety = _probability(_BIAS_ANXIETY + sums["anxiety"] - sums["calm"])
        complaint = _probability(_BIAS_COMPLAINT + sums["complaint"] - sums["praise"])
        sentiment = (
            self._vader.polarity_scores(text)["compound"]
            if language == "en"
            else _sentiment(words, sums, lexicon)
        )
        return Score(
            language=language,
            sentiment=sentiment,
            anxiety=anxiety,
            complaint=complaint,
            is_anxious=anxiety >= ANXIOUS,
            is_complaint=complaint >= COMPLAINING,
            is_negative=sentiment <= NEGATIVE,
            themes=_themes(hits),
            why=reasons,
            model=MODEL,
        )


def open_scorer() -> LexiconScorer:
    """The shipped scorer."""
    return LexiconScorer()


def _weigh(
    hits: Sequence[Hit], words: Sequence[str], lexicon: Lexicon
) -> tuple[dict[str, float], tuple[Reason, ...]]:
    """Sum of weights by what they speak of, and the words that weighed most. A negated word does not count, and who repeats a
    word is not twice as worried: each entry counts once."""
    sums = {"anxiety": 0.0, "calm": 0.0, "complaint": 0.0, "praise": 0.0}
    reasons: list[Reason] = []
    counted: set[tuple[str, str]] = set()
    for hit in hits:
        about = hit.entry.about
        if (
            about not in sums
            or (about, hit.entry.phrase) in counted
            or (about != "calm" and _is_negated(hit, words, lexicon))
        ):
            continue
        counted.add((about, hit.entry.phrase))
        sums[about] += hit.entry.weight
        signal, sign = _AGAINST.get(about, (about, 1))
        reasons.append(Reason(signal, " ".join(words[hit.start : hit.end]), sign * hit.entry.weight))
    reasons.sort(key=lambda reason: -abs(reason.weight))
    return sums, tuple(reasons[:_MOST_REASONS])


def _is_negated(hit: Hit, words: Sequence[str], lexicon: Lexicon) -> bool:
    """A negator stands shortly before it (and the phrase has none of its own: `vågar inte` is no negated courage)."""
    own = not lexicon.negators.isdisjoint(words[hit.start : hit.end])
    return not own and not lexicon.negators.isdisjoint(words[max(0, hit.start - _NEGATION_REACH) : hit.start])


def _sentiment(words: Sequence[str], sums: dict[str, float], lexicon: Lexicon) -> float:
    """Valences and signals together, squeezed into -1..1 as VADER squeezes its sum: x / sqrt(x² + 15)."""
    total = 0.0
    for i, value in enumerate(map(lexicon.valence.get, words)):
        if value:
            near = words[max(0, i - _NEGATION_REACH) : i]
            total += -0.5 * value if not lexicon.negators.isdisjoint(near) else value
    total += sums["praise"] + 0.5 * sums["calm"] - sums["complaint"] - sums["anxiety"]
    return total / math.sqrt(total * total + 15.0)


def _themes(hits: Sequence[Hit]) -> tuple[str, ...]:
    """The (at most three) themes with the most words, in the order of THEMES when they tie."""
    counts: dict[str, int] = {}
    for hit in hits:
        if hit.entry.about in THEMES:
            counts[hit.entry.about] = counts.get(hit.entry.about, 0) + 1
    if len(counts) < 2:
        return tuple(counts)
    ranked = sorted(counts, key=lambda theme: (-counts[theme], THEMES.index(theme)))
    most = counts[ranked[0]]
    return tuple(theme for theme in ranked[:3] if counts[theme] * 2 >= most)


def _probability(log_odds: float) -> float:
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, log_odds))))
