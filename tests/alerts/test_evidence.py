from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.evidence import Earlier, Voices, choose_quotes, gather, split, telling_words
from listener.incident import Evidence, shares_of_excess
from listener.mention import Mention, Reason, Signal
from listener.ports import Dimension
from tests.contract.archive_samples import NOON, make_mention, make_score

NONE: frozenset[str] = frozenset()


def mention(name: str, text: str, anxiety: float = 0.5, minutes: int = 0, **changes: object) -> Mention:
    at = NOON + timedelta(minutes=minutes)
    return make_mention(
        name, text=text, published_at=at, cluster=name, score=make_score(anxiety=anxiety), **changes
    )


def test_the_strongest_three_that_can_be_read_in_the_order_of_writing() -> None:
    chosen = choose_quotes(
        [
            mention("long", "Jag är så orolig. " * 40, 0.99, 1),
            mention("short", "nej", 0.98, 2),
            mention("late", "Är pengarna borta nu? Svara.", 0.7, 9),
            mention("early", "Min hyra ska ut i morgon bitti.", 0.9, 3),
            mention("weak", "Lite undrande över det här bara.", 0.2, 4),
            mention("middle", "Vem ska man ringa om detta?", 0.6, 5),
        ],
        Signal.ANXIETY,
    )
    assert [q.text[:10] for q in chosen] == ["Min hyra s", "Vem ska ma", "Är pengarn"]


def test_one_author_and_one_cluster_speak_once() -> None:
    same = [mention(f"a{i}", f"Min oro är stor i dag {i}", author="x") for i in range(3)]
    copies = [mention(f"c{i}", f"Vi är många som undrar {i}") for i in range(3)]
    assert len(choose_quotes(same, Signal.ANXIETY)) == 1
    assert (
        len(choose_quotes([make_mention(m.id, text=m.text, cluster="one") for m in copies], Signal.NEGATIVE))
        == 1
    )
    nobody = [mention(f"n{i}", f"Ingen vet vem jag är {i}", author="") for i in range(3)]
    assert len(choose_quotes(nobody, Signal.ANXIETY)) == 3


@pytest.mark.parametrize("signal", list(Signal))
def test_every_signal_has_an_order_and_long_quotes_are_cut(signal: Signal) -> None:
    [said] = choose_quotes([make_mention(text="rad ett\n\n" + "ord " * 900)], signal)
    assert len(said.text) <= 240
    assert said.text.startswith("rad ett ord")
    assert said.text.endswith("…")


def test_words_that_are_new() -> None:
    before = [f"det är som vanligt och inget med kontot {i}" for i in range(40)]
    now = [
        "det dragits dubbelt från kontot hos Fjelltele",
        "dubbelt igen har dragits",
        "det har dragits 500 kr",
    ] * 4
    assert telling_words(now, before, frozenset({"fjelltele"}))[:2] == ("dragits", "dubbelt")
    assert "fjelltele" not in telling_words(now, before, frozenset({"fjelltele"}))
    assert "500" not in telling_words(now, before, NONE)
    assert "det" not in telling_words(now, before, NONE)
    assert telling_words(now, before[:5], NONE) == ()


EARLIER = Earlier(
    usual={
        Dimension.CHANNEL: {"forum": 400, "inbox": 90, "social": 110, "news": 50},
        Dimension.LANGUAGE: {"sv": 500, "nb": 150},
        Dimension.THEME: {"trust": 65},
        Dimension.SOURCE: {"a": 600, "b": 50},
    },
    mentions=[],
    authors=NONE,
)
VOICES = Voices(
    now={
        Dimension.CHANNEL: {"forum": 29, "inbox": 9, "social": 3},
        Dimension.LANGUAGE: {"sv": 38, "nb": 3},
        Dimension.THEME: {"price": 9, "trust": 26},
        Dimension.SOURCE: {"a": 20, "b": 21},
    },
    mentions=[],
    hour_before=12,
    earlier=EARLIER,
)


def told(voices: Voices, heard: dict[str, tuple[bool, str]] | None = None) -> Evidence:
    return gather(voices, Signal.ANXIETY, expected=6.5, heard=heard or {}, own_words=NONE)


def test_gather_says_who_is_heard_and_how_many_there_were_before() -> None:
    found = told(VOICES, {"a": (True, ""), "b": (False, "tyst")})
    assert (found.heard, found.sources, found.unheard) == (1, 2, {"b": "tyst"})
    assert found.hour_before == 12


def test_each_part_stands_beside_its_usual_count() -> None:
    found = told(VOICES)
    assert [(p.value, p.observed, p.expected) for p in found.channels] == [
        ("forum", 29, 3.99),
        ("inbox", 9, 0.9),
        ("social", 3, 1.1),
    ]
    assert [(p.value, p.expected) for p in found.themes] == [("trust", 0.65), ("price", 0.0)], (
        "most voices have no theme: a theme's share is of all voices"
    )
    assert [p.value for p in found.places] == ["b", "a"], "the largest excess first, not the largest count"


def test_new_voices_are_authors_that_were_not_known_each_once() -> None:
    authors = ["a", "b", "b", "c", "", ""]
    said = [mention(f"m{i}", f"Vad händer nu? {i}", author=author) for i, author in enumerate(authors)]
    earlier = replace(EARLIER, authors=frozenset({"a"}))
    assert told(replace(VOICES, mentions=said, earlier=earlier)).new_voices == 2
    assert told(VOICES).new_voices == 0


def test_what_the_weeks_before_would_tell_is_left_out_where_they_are_not_known() -> None:
    said = [mention(f"m{i}", f"Det har dragits dubbelt {i}", author=f"a{i}") for i in range(30)]
    before = [mention(f"b{i}", f"Allt är som vanligt {i}", minutes=-i) for i in range(30)]
    known = replace(VOICES, mentions=said, earlier=replace(EARLIER, mentions=before))
    whole, found = told(known), told(replace(known, earlier=None))
    assert whole.words
    assert whole.new_voices == 30
    assert (found.words, found.new_voices) == ((), 0)
    assert [(p.value, p.observed, p.expected) for p in found.themes] == [
        ("trust", 26, None),
        ("price", 9, None),
    ]
    assert [p.value for p in found.places] == ["b", "a"]
    assert (found.quotes, found.hour_before) == (whole.quotes, 12)


names = st.text("abcde", min_size=1, max_size=2)
counts = st.dictionaries(names, st.integers(1, 10_000), max_size=8)


@given(now=counts, usual=counts, expected=st.floats(0, 10_000))
def test_parts_share_out_what_is_expected(
    now: dict[str, int], usual: dict[str, int], expected: float
) -> None:
    parts = split(now, usual, whole=sum(usual.values()), expected=expected)
    assert {part.value: part.observed for part in parts} == now
    usually = [part.expected for part in parts if part.expected is not None]
    assert len(usually) == len(parts)
    assert all(0 <= count <= expected + 0.005 for count in usually)
    assert sum(usually) <= expected + 0.005 * len(parts)
    if usual.keys() <= now.keys():
        assert sum(usually) == pytest.approx(expected if parts else 0, abs=0.005 * len(parts))
    excess = [part.excess for part in parts]
    assert excess == sorted(excess, reverse=True)
    shares = shares_of_excess(parts)
    assert sum(shares) == pytest.approx(1 if any(excess) else 0)
    assert parts == split(dict(reversed(now.items())), usual, whole=sum(usual.values()), expected=expected)


def test_a_quote_knows_the_words_that_decided_for_the_signal() -> None:
    score = make_score(
        why=(
            Reason("complaint", "uselt", 2.0),
            Reason("anxiety", "vet inte", 0.5),
            Reason("anxiety", "tack", -2.0),
            Reason("anxiety", "orolig", 1.5),
            Reason("sentiment", "uselt", -1.0),
        )
    )
    said = [make_mention(text="Uselt, är orolig och vet inte, tack", score=score)]
    assert choose_quotes(said, Signal.ANXIETY)[0].why == ("orolig", "vet inte")
    assert choose_quotes(said, Signal.COMPLAINTS)[0].why == ("uselt",)
    assert choose_quotes(said, Signal.VOLUME)[0].why == ("uselt",)
