"""What the model sees: folding, tokens, pieces, concepts and pairs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from listener.mention import LANGUAGES
from workers.scoring.concepts import load_concepts
from workers.scoring.features import EDGE, KEPT, LOOKED_AT, pairs, read, split
from workers.scoring.folding import fold

CONCEPTS = load_concepts()


@pytest.mark.parametrize(
    ("token", "folded"), [("Jättekö", "jatteko"), ("SÅÅÅÅ", "saa"), ("Øl", "ol"), ("2026", "00"), ("»", '"')]
)
def test_folding(token: str, folded: str) -> None:
    assert fold(token) == folded


def test_addresses_are_no_words_and_signs_are_tokens() -> None:
    assert split("Se https://x.example/a?b, ok?! 😱") == ["Se", "ok", "?", "!", "😱"]


def test_only_the_beginning_is_read() -> None:
    assert len(split("a " * LOOKED_AT)) == LOOKED_AT / 2


@pytest.mark.parametrize(
    ("language", "word"),
    [
        ("sv", "oroliga"),
        ("nb", "bekymret"),
        ("nn", "uroleg"),
        ("da", "bekymret"),
        ("fi", "huolissani"),
        ("en", "worried"),
    ],
)
def test_a_concept_is_found_in_each_language(language: str, word: str) -> None:
    assert "worried" in CONCEPTS[language](fold(word))


def test_no_word_has_a_concept_by_chance() -> None:
    assert CONCEPTS["sv"]("xyzzy") == ()
    assert CONCEPTS["sv"]("") == ()


@given(st.lists(st.text(max_size=12).filter(bool), max_size=12, unique=True), st.sampled_from(LANGUAGES))
def test_a_token_is_read_alike_alone_and_among_others(tokens: list[str], language: str) -> None:
    together = read(tokens, CONCEPTS[language])
    for at, token in enumerate(tokens):
        alone = read([token], CONCEPTS[language])
        assert sorted(together.pieces[together.owners == at]) == sorted(alone.pieces)
        assert together.kept[:, at].tolist() == alone.kept[:, 0].tolist()


def test_relatives_share_pieces() -> None:
    its = read(["orolig", "oroliga", "försenad"], CONCEPTS["sv"])
    first, second, third = (set(its.pieces[its.owners == at].tolist()) for at in range(3))
    assert len(first & second) > len(first) / 2
    assert len(first & third) <= 2


def test_shouting_is_noticed_and_the_edge_is_empty() -> None:
    shouted, spoken, edge = (read([token], CONCEPTS["en"]) for token in ("NEVER", "never", EDGE))
    assert len(shouted.pieces) == len(spoken.pieces) + 1
    assert len(edge.pieces) == 0
    assert len(edge.kept) == KEPT


def test_the_order_of_a_pair_matters() -> None:
    def numbers(*tokens: str) -> list[int]:
        its = read(tokens, CONCEPTS["sv"])
        return [int(found[0]) for found, distance in pairs(its.kept) if distance == 1]

    assert not set(numbers("inte", "orolig")) & set(numbers("orolig", "inte"))
    assert np.array_equal(numbers("inte", "orolig"), numbers("INTE", "Orolig"))
