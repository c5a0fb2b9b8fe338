import json
from dataclasses import fields, is_dataclass, replace
from datetime import timedelta
from string import Formatter
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts import slack_rules
from alerts.message import Links, Message, build, escape, number, safe_link
from alerts.words import TABLES, Words
from listener.incident import Incident, State
from listener.mention import CHANNELS, LANGUAGES, THEMES, UNDETERMINED, Signal
from tests.alerts.fakes import NOW, evidence, incident, level, part, quote

ZONE = ZoneInfo("Europe/Stockholm")
LINKS = Links(console="http://127.0.0.1:8642/incidents/1", kibana="https://kibana.example/app/1")
HOSTILE = (
    "<!channel> hjälp",
    "<!here|here> <@U1> <#C1|x> <!subteam^S1>",
    "<http://evil.example|bank>",
    "&lt;!channel&gt; &amp;amp;",
    "*fet* _kursiv_ ~struken~ `kod` ```block``` > citat",
    "@channel @here #general mailto:a@b.example",
    "\u202egnirts desrever\u202c \u2066x\u2069 \u200e\u200f",
    "👩‍👩‍👧‍👦" * 400,
    "Z" + "\u0301" * 5_000,
    "å" * 20_000,
    "rad ett\r\nrad två\x1b[31mröd\x1b[0m\x07\x00",
    "{brand} {0} %s {{7*7}}",
    "\ud800 halv",
    "https://evil.example/a?b=c",
    "=HYPERLINK(1)",
    " ",
)


def told(whole: Incident, language: str = "sv", brand: str = "Fjelltele") -> Message:
    names = {"trafikforum": "Trafikforum"}
    return build(whole, brand=brand, language=language, zone=ZONE, links=LINKS, source_names=names)


def ended() -> Incident:
    end = NOW + timedelta(hours=3, minutes=33)
    return incident(
        state=State.OVER,
        spiked_at=end,
        ended_at=end,
        levels=(level(observed=5), level(Signal.COMPLAINTS, 19, 21.3, 31)),
        peak=1077,
        peak_at=NOW + timedelta(hours=1),
        evidence=replace(evidence(), words=()),
        acknowledged_by="Kim",
        acknowledged_at=NOW + timedelta(minutes=5),
        verdict="useful",
    )


def test_the_alert_in_swedish() -> None:
    assert told(incident()).lines == [
        "Fjelltele: ovanligt många oroliga kunder · sedan 02:15, växer",
        "41 oroliga röster den senaste timmen, vanligen 6 så här dags (3–10). "
        "Klagomålen följer med: 58 mot vanligen 21.",
        "Det handlar mest om trygghet (26, vanligen 1) och pris (9, vanligen nästan inga). "
        "Ord som sticker ut: ”dragits”, ”dubbelt”.",
        "Mest i forum (29, vanligen 4) och inkorgen (9, vanligen 1), mest på svenska (38, vanligen 5).",
        "  ”Ser att det dragits två gånger och hyran ska ut i morgon.” – forum, 02:41 · forum.example ↗",
        "  ”Har Fjelltele tömt mitt konto? Snälla svara nån.” – inkorgen, 02:52 · forum.example ↗",
        "  ”dubbeldragning här me, banken säger vänta 3 dagar” – forum, 02:58 · forum.example ↗",
        "Hörda källor: 18 av 19 (Trafikforum: tyst sedan 00:40).",
        "Nivå: eskalera. Ingen har tagit hand om det än.",
        "Öppna i Lyhord: http://127.0.0.1:8642/incidents/1 · Kibana: https://kibana.example/app/1",
    ]


def test_the_alert_in_norwegian_and_english() -> None:
    assert told(incident(), "nb").lines[:2] == [
        "Fjelltele: uvanlig mange bekymrede kunder · siden 02:15, vokser",
        "41 bekymrede stemmer den siste timen, vanligvis 6 på denne tiden (3–10). "
        "Klagene følger med: 58 mot vanligvis 21.",
    ]
    assert told(incident(), "en").lines[:2] == [
        "Fjelltele: unusually many worried customers · since 02:15, growing",
        "41 worried voices in the last hour, usually 6 at this time (3–10). Complaints are up too: 58, usually 21.",
    ]


def test_the_end_is_told_as_clearly_as_the_beginning() -> None:
    assert told(ended()).lines == [
        "Fjelltele: oron är nere på det vanliga",
        "Över: 02:15–06:40, som mest 1\u202f077 oroliga röster i timmen (04:07).",
        "Det handlar mest om trygghet (26, vanligen 1) och pris (9, vanligen nästan inga).",
        "Mest i forum (29, vanligen 4) och inkorgen (9, vanligen 1), mest på svenska (38, vanligen 5).",
        "Alla 19 källor hörs.",
        "Kim tog hand om det 03:12. Märkt som användbart.",
        "Öppna i Lyhord: http://127.0.0.1:8642/incidents/1 · Kibana: https://kibana.example/app/1",
    ]
    assert told(ended(), "nb").lines[1].startswith("Over: 02:15–06:40, på det meste 1\u202f077 bekymrede")
    assert told(ended(), "en").lines[1].startswith("Over: 02:15–06:40, at most 1\u202f077 worried voices")


def explained(**changes: object) -> Incident:
    """The alert with everything that puts it in proportion."""
    whole = incident()
    places = (part("trafikforum", 24, 2.2), part("mobilprat", 5, 1.9), part("inkorgen", 9, 1.2))
    found = replace(whole.evidence, new_voices=31, hour_before=12, places=places)
    anxiety = replace(whole.levels[0], share=41 / 120, usual_share=0.12)
    return replace(whole, evidence=found, levels=(anxiety, *whole.levels[1:]), **changes)  # type: ignore[arg-type]


def test_what_explains_the_alert_stands_beside_the_numbers() -> None:
    since = NOW - timedelta(days=5)
    whole = explained(known_cause="Höstkampanj", coverage=0.48, new_normal=3.0, new_normal_since=since)
    lines = told(whole).lines
    assert lines[1:3] == [
        "41 oroliga röster den senaste timmen (timmen före: 12), vanligen 6 så här dags (3–10). "
        "Klagomålen följer med: 58 mot vanligen 21.",
        "Känd orsak i kalendern: Höstkampanj. Ny normal nivå: 3 gånger den förra, sedan tors 03:07. "
        "De oroliga rösterna är 34\u00a0% av alla röster (41 av 120), vanligen 12\u00a0%. "
        "31 av 41 röster är nya: inte hörda de fyra veckorna före.",
    ]
    assert "främst från Trafikforum (24, vanligen 2), mest på svenska" in lines[4]
    assert lines[8] == (
        "Hörda källor: 18 av 19 (Trafikforum: tyst sedan 00:40). "
        "Bara källor med 48\u00a0% av de vanliga rösterna hörs."
    )
    english = told(whole, "en").lines
    assert english[2] == (
        "Known cause in the calendar: Höstkampanj. New normal level: 3 times the former one, since Thu 03:07. "
        "Worried voices are 34% of all voices (41 of 120), usually 12%. "
        "31 of 41 voices are new: not heard in the four weeks before."
    )
    assert [block["block_id"] for block in told(whole).blocks][:3] == ["news", "numbers", "about"]


def test_a_sentence_that_says_nothing_is_left_out() -> None:
    whole = explained(coverage=0.95)
    steady = replace(whole, evidence=replace(whole.evidence, hour_before=28, new_voices=20))
    said = "\n".join(told(steady).lines)
    assert "timmen före" not in said
    assert "nya" not in said
    assert "Bara källor" not in said
    assert "orsak" not in said
    assert "normal nivå" not in said


@pytest.mark.parametrize(
    ("share", "usual", "wanted"),
    [
        (0.31, 0.20, "(41 av 132), vanligen 20\u00a0%."),
        (0.29, 0.20, ""),
        (0.21, 0.20, "(41 av 195), ungefär som vanligt (20\u00a0%)."),
        (0.15, 0.20, ""),
        (0.02, 0.003, "(41 av 2\u202f050), vanligen <1\u00a0%."),
        (0.02, 0.0, "(41 av 2\u202f050), vanligen 0\u00a0%."),
        (None, 0.2, ""),
        (0.3, None, ""),
    ],
)
def test_more_voices_or_more_worried_voices(share: float | None, usual: float | None, wanted: str) -> None:
    whole = explained()
    levels = (replace(whole.levels[0], share=share, usual_share=usual), *whole.levels[1:])
    line = told(replace(whole, levels=levels)).lines[2]
    assert wanted in line
    assert ("av alla röster" in line) == bool(wanted)


def test_when_all_voices_lead_the_share_is_of_the_signal_that_rises_with_them() -> None:
    levels = (
        level(Signal.VOLUME, 340, 120, 180),
        replace(level(Signal.COMPLAINTS, 4, 4, 9), share=0.01, usual_share=0.01),
        replace(level(), share=41 / 340, usual_share=0.11),
    )
    line = told(replace(explained(), levels=levels)).lines[2]
    assert (
        line
        == "De oroliga rösterna är 12\u00a0% av alla röster (41 av 340), ungefär som vanligt (11\u00a0%)."
    )


@pytest.mark.parametrize("state", [State.FALLING, State.OVER])
def test_what_was_true_of_the_height_is_not_told_of_later_hours(state: State) -> None:
    said = "\n".join(told(explained(state=state)).lines)
    assert "timmen före" not in said
    assert "är nya" not in said
    assert "av alla röster" not in said


def test_only_what_carries_the_excess_is_told() -> None:
    channels = (part("inbox", 9, 0.5), part("forum", 90, 89.5), part("social", 4, 5.0))
    line = told(incident(evidence=replace(evidence(), channels=channels, languages=channels[1:2]))).lines[3]
    assert line == "Mest i inkorgen (9, vanligen nästan inga)."
    none = replace(
        evidence(), channels=channels[2:], themes=(), words=(), languages=(), places=channels[2:] * 2
    )
    assert len(told(incident(evidence=none)).lines) == 5, "neither what it is about nor where"


def test_hardly_any_is_said_once() -> None:
    night = incident(levels=(level(observed=41, expected=0.4, high=2),))
    lines = told(night).lines
    assert lines[1] == "41 oroliga röster den senaste timmen, vanligen nästan inga så här dags (0–2)."
    assert lines[3] == "Mest i forum (29) och inkorgen (9), mest på svenska (38)."
    assert "forum (29, vanligen 4)" in told(replace(night, state=State.OVER)).lines[3]


def test_what_an_older_version_stored_is_told_without_what_was_usual() -> None:
    old = replace(evidence(), channels=(part("forum", 29, None), part("inbox", 9, None)), languages=())
    assert "Mest i forum (29) och inkorgen (9)." in told(incident(evidence=old)).lines


@pytest.mark.parametrize(("times", "wanted"), [(3.0, "3 gånger"), (2.46, "2,5 gånger"), (0.5, "0,5 gånger")])
def test_a_new_normal_in_the_languages_own_numbers(times: float, wanted: str) -> None:
    moved = incident(new_normal=times, new_normal_since=NOW)
    assert f"Ny normal nivå: {wanted} den förra, sedan 03:07." in told(moved).lines
    assert any(wanted.split()[0].replace(",", ".") + " times" in line for line in told(moved, "en").lines)


def test_closed_by_hand_while_high_does_not_say_that_it_is_normal() -> None:
    closed = incident(state=State.OVER, ended_at=NOW + timedelta(minutes=9))
    assert told(closed).lines[0] == "Fjelltele: ovanligt många oroliga kunder · över"


def test_the_fallback_stands_alone() -> None:
    assert told(incident()).text == (
        "Fjelltele: ovanligt många oroliga kunder · sedan 02:15, växer. 41 oroliga röster den senaste timmen, "
        "vanligen 6 så här dags (3–10). Klagomålen följer med: 58 mot vanligen 21."
    )


def test_one_voice_and_almost_none() -> None:
    lone = incident(levels=(level(observed=1, expected=0.2, high=1), level(Signal.COMPLAINTS, 0, 0.1, 1)))
    assert told(lone).lines[1] == (
        "1 orolig röst den senaste timmen, vanligen nästan inga så här dags (0–1). "
        "Klagomålen är som vanligt: 0 mot nästan inga."
    )


def test_times_of_other_days_say_which() -> None:
    assert "sedan mån 02:07" in told(incident(began_at=NOW - timedelta(days=1, hours=1))).lines[0]
    assert "sedan 2026-02-28 03:07" in told(incident(began_at=NOW - timedelta(days=10))).lines[0]


def test_a_fall_while_a_source_is_unheard_says_that_it_may_not_be_over() -> None:
    falling = incident(state=State.FALLING, levels=(level(observed=4), level(Signal.COMPLAINTS, 20, 21, 31)))
    assert "det är inte säkert att det är över" in "\n".join(told(falling).lines)
    heard = replace(falling, evidence=evidence())
    assert "inte säkert" not in "\n".join(told(heard).lines)


@pytest.mark.parametrize(
    ("language", "wanted"),
    [
        ("sv", "Sökningen är nere sedan 02:14: citat och jämförelser gäller bara de senaste två dygnen."),
        ("en", "Search has been down since 02:14: quotes and comparisons cover the last two days only."),
    ],
)
def test_that_the_search_is_away_is_a_line_of_its_own(language: str, wanted: str) -> None:
    since = NOW.replace(hour=1, minute=14)
    degraded = incident(evidence=replace(evidence(), search_away_since=since))
    message = told(degraded, language)
    assert wanted in message.lines
    assert wanted in json.dumps(message.blocks, ensure_ascii=False)
    assert len(message.lines) == len(told(incident(evidence=evidence()), language).lines) + 1
    over = replace(ended(), evidence=replace(ended().evidence, search_away_since=since))
    assert told(over, language).lines == told(ended(), language).lines, "nobody would take it back"


def test_many_silent_sources_are_cut() -> None:
    silent = {f"s{i}": "tyst" for i in range(9)}
    line = told(incident(evidence=evidence(unheard=silent))).lines[4]
    assert line == "Hörda källor: 10 av 19 (s0: tyst; s1: tyst; s2: tyst; s3: tyst; …)."


def test_an_empty_evidence_leaves_no_empty_line() -> None:
    bare = replace(evidence(), channels=(), languages=(), themes=(), words=(), heard=0, sources=0)
    message = build(incident(evidence=bare), brand="X", language="sv", zone=ZONE, links=Links())
    assert len(message.lines) == 3
    assert problem(message) == ""


def test_buttons_have_room() -> None:
    assert [block["block_id"] for block in told(incident()).blocks] == [
        "news", "numbers", "about", "quotes", "status", "links",
    ]  # fmt: skip


@pytest.mark.parametrize("language", [*LANGUAGES])
def test_each_language_has_every_word(language: str) -> None:
    table = TABLES[language]
    assert set(table.channels) == set(CHANNELS)
    assert set(table.languages) == {*LANGUAGES, UNDETERMINED}
    assert set(table.themes) == set(THEMES)
    for by_signal in (table.title, table.title_over, table.voices, table.all_of):
        assert set(by_signal) == set(Signal)
    assert set(table.state) == set(State)
    assert placeholders(table) == placeholders(TABLES["sv"])
    assert "" not in leaves(table)


def leaves(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [leaf for key in sorted(value) for leaf in leaves(value[key])]
    if isinstance(value, tuple):
        return [leaf for item in value for leaf in leaves(item)]
    assert is_dataclass(value)
    return [leaf for field in fields(value) for leaf in leaves(getattr(value, field.name))]


def placeholders(table: Words) -> list[set[str]]:
    return [{name for _, name, _, _ in Formatter().parse(leaf) if name} for leaf in leaves(table)]


def test_an_unknown_language_is_told_in_english() -> None:
    assert told(incident(), "xx").lines == told(incident(), "en").lines


def problem(message: Message) -> str:
    return slack_rules.problem({"text": message.text, "blocks": message.blocks})


def hostile_incident(text: str) -> Incident:
    said = tuple(quote(f"m{i}", text, channel=text, url=f"https://h.example/{text}") for i in range(3))
    whole = evidence(*said, unheard={text: text, "trafikforum": text})
    both = (part(text, 3, 0.2), part("other", 1, 3.0))
    whole = replace(whole, words=(text,) * 5, channels=both, languages=both, themes=both, places=both)
    return incident(
        evidence=whole,
        acknowledged_by=text,
        acknowledged_at=NOW,
        verdict=text,
        known_cause=text,
        coverage=0.5,
    )


def assert_harmless(message: Message) -> None:
    assert problem(message) == ""
    assert list(slack_rules.mrkdwn_texts(message.blocks)) == []
    assert not any(mark in message.text for mark in ("<", ">", "@c", "@h", "#g", "://"))
    everything = [*message.lines, *slack_rules.texts(message.blocks), message.text]
    for text in everything:
        assert not any(
            ord(char) < 32 or "\u202a" <= char <= "\u202e" or "\u2066" <= char <= "\u2069" for char in text
        )
        text.encode("utf-8")
    assert sum(len(text) for text in slack_rules.texts(message.blocks)) < 6_000
    assert len(message.text) <= 4_000
    json.dumps(message.blocks)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("language", ["sv", "fi"])
def test_hostile_text_is_text(text: str, language: str) -> None:
    assert_harmless(told(hostile_incident(text), language, brand=text))


@settings(max_examples=150, deadline=None)
@given(
    st.text(
        alphabet=st.one_of(st.sampled_from("<>&@#!|*_`\u202e\u200d\u0301👩👧🇸🇪\n"), st.characters()),
        max_size=400,
    )
)
def test_any_text_is_text(text: str) -> None:
    assert_harmless(told(hostile_incident(text), brand=text))


def test_escape_keeps_the_meaning() -> None:
    assert escape("a & b < c > d") == "a &amp; b &lt; c &gt; d"
    assert "<!" not in escape("<!channel>")
    assert "@channel" not in escape("@channel")


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("https://forum.example/t/1?p=2#x", ("https://forum.example/t/1?p=2#x", "forum.example")),
        ("http://127.0.0.1:8642/a b", ("http://127.0.0.1:8642/a%20b", "127.0.0.1")),
        ("https://blåbär.example/å", ("https://xn--blbr-noae.example/%C3%A5", "xn--blbr-noae.example")),
        ("javascript:alert(1)", None),
        ("https://bank.example@evil.example/", None),
        ("https://", None),
        ("https://a.example/" + "x" * 3000, None),
        ("https://[::1", None),
        ("https://a.example:99999999/", None),
        ("", None),
    ],
)
def test_only_plain_links_are_linked(url: str, wanted: tuple[str, str] | None) -> None:
    assert safe_link(url) == wanted


def test_a_link_cannot_carry_markup() -> None:
    link = safe_link("https://a.example/<!channel>|x>\n")
    assert link is not None
    assert not set("<>|\n") & set(link[0])


def test_numbers_have_thin_spaces() -> None:
    assert [number(n) for n in (7, 999, 1_000, 1_234_567)] == [
        "7",
        "999",
        "1\u202f000",
        "1\u202f234\u202f567",
    ]


def test_the_words_that_decided_are_bold_in_the_quote() -> None:
    said = replace(quote("m1", "Är orolig, ingen ro. Oroligare än så"), why=("ro", "orolig", "fattas"))
    blocks = json.dumps(told(incident(evidence=evidence(said))).blocks, ensure_ascii=False)
    assert '{"type": "text", "text": "orolig", "style": {"bold": true}}' in blocks
    assert '{"type": "text", "text": "ro", "style": {"bold": true}}' in blocks
    assert (
        told(incident(evidence=evidence(said))).text
        == told(incident(evidence=evidence(replace(said, why=())))).text
    )
