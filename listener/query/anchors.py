"""Anchors: for each query a few terms of which at least one is in every text that can match. Pure.

A term is a word, a tag with its sign, or a prefix with its *. A text without any of them cannot match.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from listener.query.nodes import And, Near, Node, Or, Phrase, Prefix, Tag, Word

Terms = frozenset[str]

# Words that stand in most texts (sv; nb, nn, da; fi; en): the last choice for an anchor.
_FREQUENT_WORDS = """
och att det i på är som en för av med den till inte har om ett men jag var vi de så kan nu
när från man han hon du eller ska vad här ni få sig mig min bara också väldigt mer dem där
efter över
og jeg ikke er til av at et på for med som har de vi men om så kan nå fra eg ikkje ein eit
ei ho dei me når der her hva kva hvad af mig dig sig nu være vere bare også meget veldig
skal vil etter efter
ja on ei se että en hän oli ovat mutta kun niin myös jos kuin nyt tai vain olen minä sinä
me te he mitä joka ole mun tämä ollut sitä vielä
the be to of and a in that have i it for not on with he as you do at this but his by from
they we is are was my so no all any can just your me its
"""
FREQUENT = frozenset(_FREQUENT_WORDS.split())
_FREQUENT_COST = 1_000.0
_PREFIX_COSTS = {2: 300.0, 3: 60.0, 4: 10.0}
_LONG_PREFIX_COST = 3.0


@dataclass(frozen=True, slots=True)
class Anchor:
    """`cost`: how often, relative to other anchors, it will make us look at its query in vain."""

    terms: Terms
    cost: float


def anchor(node: Node, popularity: Counter[str]) -> Anchor | None:
    """The cheapest anchor of a query; None when texts without any certain word can match it (NOT x, lang:sv).
    `popularity`: how many queries name a term; one that many name is a common one in the texts as well."""
    match node:
        case Word() | Prefix() | Tag() | Phrase():
            return min((_single(term, popularity) for term in _terms(node)), key=_cost)
        case Near(left, right, _):
            return _cheapest([anchor(left, popularity), anchor(right, popularity)])
        case And(children):
            return _cheapest([anchor(child, popularity) for child in children])
        case Or(children):
            return _united([anchor(child, popularity) for child in children])
        case _:
            return None


def popularity(roots: Iterable[Node]) -> Counter[str]:
    """How many of the queries name each term, outside NOT."""
    count: Counter[str] = Counter()
    for root in roots:
        count.update(frozenset(_all_terms(root)))
    return count


def _terms(node: Word | Prefix | Tag | Phrase) -> tuple[str, ...]:
    match node:
        case Phrase(words, last_is_prefix=True):
            return (*words[:-1], f"{words[-1]}*")
        case Phrase(words):
            return words
        case _:
            return (str(node),)


def _all_terms(node: Node) -> Iterator[str]:
    match node:
        case Word() | Prefix() | Tag() | Phrase():
            yield from _terms(node)
        case Near(left, right, _):
            yield from _all_terms(left)
            yield from _all_terms(right)
        case And(children) | Or(children):
            for child in children:
                yield from _all_terms(child)
        case _:
            pass


def _single(term: str, popularity: Counter[str]) -> Anchor:
    cost = 1.0 + popularity[term]
    if term.endswith("*"):
        cost += _PREFIX_COSTS.get(len(term) - 1, _LONG_PREFIX_COST)
    elif term in FREQUENT:
        cost += _FREQUENT_COST
    return Anchor(frozenset({term}), cost)


def _cheapest(found: list[Anchor | None]) -> Anchor | None:
    return min((one for one in found if one), key=_cost, default=None)


def _united(found: list[Anchor | None]) -> Anchor | None:
    known = [one for one in found if one]
    if len(known) < len(found):
        return None
    return Anchor(frozenset().union(*(one.terms for one in known)), sum(one.cost for one in known))


def _cost(one: Anchor) -> float:
    return one.cost
