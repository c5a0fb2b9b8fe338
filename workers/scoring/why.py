"""The words that decided: for each text and each of anxiety, complaint and sentiment, those that weighed most. Pure."""

import numpy as np

from listener.mention import Reason
from workers.scoring.model import Floats, Places, Reading

MOST = 3
"""Reasons for each thing decided."""
_TRIED = MOST + 2
"""Candidates, for some are said twice."""
_LEAST = 0.15
"""Of a logit: what weighs less is no reason."""
_JOINED = 0.3
"""Share of a word's weight that its pair with a neighbour must have for the two to be named together."""
_ABOUT = ("anxiety", "complaint", "sentiment")


def reasons(reading: Reading) -> list[tuple[Reason, ...]]:
    """For each text the reasons, strongest first within each thing decided. `sentiment` is weighed as positive minus negative."""
    alone, joined = _decisive(reading.alone), _decisive(reading.joined)
    weights = alone + joined / 2
    weights[1:] += joined[:-1] / 2
    weights[~reading.is_word] = 0
    text_of = np.repeat(np.arange(len(reading.starts)), np.diff(reading.starts, append=len(reading.tokens)))
    found: list[list[Reason]] = [[] for _ in reading.starts]
    for column, about in enumerate(_ABOUT):
        chosen = _strongest(weights[:, column], text_of)
        first, last = _phrases(chosen, weights[chosen, column], joined[:, column], reading)
        rows = zip(
            text_of[chosen].tolist(),
            first.tolist(),
            last.tolist(),
            weights[chosen, column].tolist(),
            strict=True,
        )
        of_text, named = -1, set[str]()
        for text, begin, end, weight in rows:
            if text != of_text:
                of_text, named, free = text, set(), MOST
            words = reading.tokens[begin:end]
            plain = {word.casefold() for word in words}
            if free and named.isdisjoint(plain):
                free -= 1
                named |= plain
                found[text].append(Reason(about, " ".join(words), round(weight, 3)))
    return [tuple(its) for its in found]


def _decisive(parts: Floats) -> Floats:
    """T × 3: what speaks for anxiety, for complaint, and for positive rather than negative."""
    return np.stack([parts[:, 0], parts[:, 1], parts[:, 4] - parts[:, 2]], axis=1)


def _strongest(weights: Floats, text_of: Places) -> Places:
    """The places of the few strongest tokens of each text: text by text, strongest first."""
    strong = np.flatnonzero(np.abs(weights) >= _LEAST)
    order = strong[np.lexsort((-np.abs(weights[strong]), text_of[strong]))]
    texts = text_of[order]
    return order[np.arange(len(order)) - np.searchsorted(texts, texts) < _TRIED]


def _phrases(places: Places, weights: Floats, joined: Floats, reading: Reading) -> tuple[Places, Places]:
    """First and behind-last place of what to name: the word, with a neighbour when the two together say much of it. (A word has a
    neighbour on both sides, if only the edge, which is no word.)"""
    least = _JOINED * np.abs(weights)
    with_next = (joined[places] * np.sign(weights) >= least) & reading.is_word[places + 1]
    with_last = (joined[places - 1] * np.sign(weights) >= least) & reading.is_word[places - 1] & ~with_next
    return places - with_last, places + 1 + with_next
