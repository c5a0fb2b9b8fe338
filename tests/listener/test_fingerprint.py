"""Which texts are copies of one another."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listener.fingerprint import MIN_WORDS, bands, similar
from listener.text import tokenise

RELEASE_SV = (
    "Fjelltele bygger ut det mobila nätet i hela Norrland under året. Kunderna ska märka bättre täckning redan före sommaren. "
    "Vi vet att många har väntat länge, säger bolagets tekniska chef. Satsningen omfattar trettio nya master och kostar "
    "fyrahundra miljoner kronor."
)
RELEASE_NB = (
    "Fjelltele varsler at prisene på mobilabonnement øker fra første april. Kunder med bindingstid beholder dagens pris "
    "ut avtaleperioden. Selskapet begrunner endringen med høyere kostnader for strøm og utbygging av nettet i distriktene."
)
COMPLAINT_NB = (
    "Har noen andre mistet dekningen på Fjelltele i kveld? Telefonen viser bare nødanrop her på Lillehammer."
)


def words(text: str) -> tuple[str, ...]:
    return tokenise(text).words


def is_found(a: str, b: str) -> bool:
    """As archives do it: look up by bands, then decide."""
    return bool(set(bands(words(a))) & set(bands(words(b)))) and similar(words(a), words(b))


@pytest.mark.parametrize(
    ("text", "copy"),
    [
        (RELEASE_SV, RELEASE_SV),
        (RELEASE_SV, RELEASE_SV.upper() + "!!!"),
        (RELEASE_SV, "PRESSMEDDELANDE 2 mars 2026. " + RELEASE_SV),
        (RELEASE_SV, RELEASE_SV.replace("trettio nya master", "30 nya master")),
        (RELEASE_SV, RELEASE_SV + " #fjelltele #norrland https://nyheter.example.se/a1b2"),
        (
            RELEASE_SV,
            "Vi vet att många har väntat länge, säger bolagets tekniska chef. "
            + RELEASE_SV.replace("Vi vet att många har väntat länge, säger bolagets tekniska chef. ", ""),
        ),
        (RELEASE_NB, "«" + RELEASE_NB + "» Hva synes dere?"),
        (RELEASE_NB, RELEASE_NB.replace("varsler", "melder").replace("høyere kostnader", "økte kostnader")),
        (COMPLAINT_NB, COMPLAINT_NB + " #fjelltele"),
    ],
)
def test_copies_are_found(text: str, copy: str) -> None:
    assert is_found(text, copy)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (RELEASE_SV, RELEASE_NB),
        (
            COMPLAINT_NB,
            "Er det flere som ikke har dekning med Fjelltele i kveld? Her på Hamar er det helt dødt, bare nødanrop.",
        ),
        (
            "Nätet har legat nere hela dagen och jag kommer inte in på mina sidor",
            "Hela dagen utan nät, och mina sidor hos Fjelltele går inte heller att öppna",
        ),
        (
            "Är det fler än jag som saknar täckning i Malmö just nu?",
            "Är det fler än jag som saknar täckning i Kiruna just nu?",
        ),
        (
            COMPLAINT_NB,
            COMPLAINT_NB
            + " Jeg har vært kunde i tolv år og aldri opplevd noe lignende, nå bytter jeg til en annen så fort jeg kan.",
        ),
        ("Nere igen!", "Nere igen!"),
        ("", ""),
    ],
)
def test_voices_of_their_own_are_not_copies(a: str, b: str) -> None:
    assert not similar(words(a), words(b))


TEXTS = st.lists(st.sampled_from("abcdefgh"), max_size=40)


@given(TEXTS, TEXTS)
def test_similar_is_symmetric(a: list[str], b: list[str]) -> None:
    assert similar(a, b) is similar(b, a)


@given(TEXTS)
def test_a_long_text_is_its_own_copy_and_a_short_one_has_no_bands(text: list[str]) -> None:
    is_long = len(text) >= MIN_WORDS
    assert similar(text, list(text)) is is_long
    assert bands(text) == bands(list(text))
    assert len(bands(text)) == (6 if is_long else 0)


@given(TEXTS)
def test_bands_fit_a_signed_64_bit_column(text: list[str]) -> None:
    assert all(0 <= band < 2**63 for band in bands(text))


def test_bands_stay_what_they_are() -> None:
    """Archives keep them: a new version of the hashing needs a migration."""
    assert bands(words("en text som är lång nog för att ha band"))[:2] == (
        4192044729146663305,
        6991847357808841420,
    )


def _variant(text: list[str], edits: int, chance: random.Random) -> list[str]:
    """`text` with that many words replaced."""
    changed = list(text)
    for at in chance.sample(range(len(text)), edits):
        changed[at] = f"ny{chance.randrange(10**6)}"
    return changed


def _jaccard(a: list[str], b: list[str]) -> float:
    first, second = (set(zip(text, text[1:], text[2:], strict=False)) for text in (a, b))
    return len(first & second) / len(first | second)


def test_near_copies_share_a_band_and_strangers_do_not() -> None:
    chance = random.Random(7)
    near = shared = strangers = collisions = 0
    previous: tuple[int, ...] = ()
    while near < 1500:
        text = [f"ord{chance.randrange(4000)}" for _ in range(chance.randint(15, 80))]
        copy = _variant(text, chance.randint(1, 4), chance)
        collisions += bool(set(previous) & set(bands(text)))
        strangers += 1
        previous = bands(text)
        if _jaccard(text, copy) >= 0.8:
            near += 1
            shared += bool(set(bands(text)) & set(bands(copy)))
    assert shared / near >= 0.95
    assert collisions / strangers < 0.01
