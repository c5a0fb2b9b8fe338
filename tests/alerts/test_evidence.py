from datetime import timedelta

import pytest

from alerts.evidence import Voices, choose_quotes, gather, telling_words
from listener.mention import Mention, Reason, Signal
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


def test_gather_says_who_is_heard() -> None:
    voices = Voices(channels={"forum": 2}, languages={}, themes={}, mentions=[], before=[])
    heard = {"a": (True, ""), "b": (False, "tyst")}
    found = gather(voices, Signal.ANXIETY, heard=heard, own_words=NONE)
    assert (found.heard, found.sources, found.unheard) == (1, 2, {"b": "tyst"})


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
