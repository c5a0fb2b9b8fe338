"""Finding weighted phrases: prefixes, overlaps, and the same as a slow reading."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from workers.scoring.phrases import Entry, Hit, Phrases, best_per_place, entries_of


def found(phrases: list[str], text: str) -> list[tuple[str, int, int]]:
    hits = Phrases([Entry(phrase, "x", 1.0) for phrase in phrases]).find(text.split())
    return sorted((hit.entry.phrase, hit.start, hit.end) for hit in hits)


def test_a_word_is_found_only_as_it_is() -> None:
    assert found(["oro"], "oro oron") == [("oro", 0, 1)]


def test_a_star_stands_for_any_ending_also_none() -> None:
    assert found(["oro*"], "oro oron storo") == [("oro*", 0, 1), ("oro*", 1, 2)]


def test_a_phrase_wants_all_its_words_in_a_row() -> None:
    assert found(["vågar inte"], "jag vågar inte") == [("vågar inte", 1, 3)]
    assert found(["vågar inte"], "vågar jag inte") == []
    assert found(["vågar inte"], "jag vågar") == []


def test_a_star_may_end_any_word_of_a_phrase() -> None:
    assert found(["inte oroa*"], "inte oroade") == [("inte oroa*", 0, 2)]
    assert found(["dubb* drag*"], "dubbla dragningar") == [("dubb* drag*", 0, 2)]


def test_of_overlapping_hits_about_the_same_the_longest_is_kept() -> None:
    short, long = Entry("dubbelt", "x", 3.0), Entry("dragit dubbelt", "x", 1.0)
    words = ["har", "dragit", "dubbelt"]
    assert [hit.entry for hit in best_per_place(Phrases([short, long]).find(words))] == [long]


def test_of_equally_long_hits_the_heaviest_is_kept() -> None:
    light, heavy = Entry("oro*", "x", 1.0), Entry("oroli*", "x", 2.0)
    assert [hit.entry for hit in best_per_place(Phrases([light, heavy]).find(["orolig"]))] == [heavy]


def test_hits_about_different_things_may_overlap() -> None:
    entries = [Entry("tömt", "anxiety", 1.0), Entry("tömt", "trust", 1.0)]
    assert len(best_per_place(Phrases(entries).find(["tömt"]))) == 2


def test_entries_are_written_as_the_tokeniser_writes_words() -> None:
    assert entries_of({"Can't Sleep": 2.0}, "anxiety") == [Entry("cant sleep", "anxiety", 2.0)]


WORDS = st.text("abå", min_size=1, max_size=3)
PHRASES = st.lists(
    st.lists(st.tuples(WORDS, st.booleans()).map(lambda w: w[0] + "*" * w[1]), min_size=1, max_size=3).map(
        " ".join
    ),
    max_size=8,
    unique=True,
)


def fits(part: str, word: str) -> bool:
    return word.startswith(part[:-1]) if part.endswith("*") else word == part


def slowly(phrases: list[str], words: list[str]) -> list[tuple[str, int, int]]:
    """Every phrase at every place, word by word."""
    return sorted(
        (phrase, start, start + len(parts))
        for phrase in phrases
        for parts in [phrase.split()]
        for start in range(len(words) - len(parts) + 1)
        if all(fits(part, words[start + i]) for i, part in enumerate(parts))
    )


@given(PHRASES, st.lists(WORDS, max_size=12))
def test_finds_what_a_slow_reading_finds(phrases: list[str], words: list[str]) -> None:
    assert found(phrases, " ".join(words)) == slowly(phrases, words)


@given(PHRASES, st.lists(WORDS, max_size=12))
def test_reading_a_second_time_finds_the_same(phrases: list[str], words: list[str]) -> None:
    reader = Phrases([Entry(phrase, "x", 1.0) for phrase in phrases])
    assert reader.find(words) == reader.find(words)


@given(PHRASES, st.lists(WORDS, max_size=12))
def test_kept_hits_never_overlap_and_none_is_left_out_for_nothing(
    phrases: list[str], words: list[str]
) -> None:
    hits = Phrases([Entry(phrase, "x", 1.0) for phrase in phrases]).find(words)
    kept = best_per_place(hits)
    assert all(a.end <= b.start for a, b in pairwise(kept))
    assert all(any(overlap(hit, other) for other in kept) for hit in hits)


def overlap(a: Hit, b: Hit) -> bool:
    return a.start < b.end and b.start < a.end
