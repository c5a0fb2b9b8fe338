"""A believable desk for the page's tests: five weeks of an invented brand, and a crisis in its last hours. In memory.

`NOW` is a Saturday morning, 07:10 in Stockholm; the crisis began at 02:15.
"""

import random
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from statistics import fmean
from typing import Any, cast
from zoneinfo import ZoneInfo

from console.web.desk import Desk, Gap, HealthRow, MessageView
from listener.config import Brand, Config, Source
from listener.errors import StoreError
from listener.health import Condition
from listener.incident import Act, Evidence, Incident, Level, Part, Quote, State
from listener.mention import Mention, Polarity, Reason, Score, Signal
from listener.ports import Archive, Dimension, Ledger, Where
from listener.query import Document

ZONE = ZoneInfo("Europe/Stockholm")
NOW = datetime(2026, 3, 14, 7, 12, tzinfo=ZONE).astimezone(UTC)
BEGAN = datetime(2026, 3, 14, 2, 15, tzinfo=ZONE).astimezone(UTC)
TOKEN = "let-me-in-0123456789"
DAYS = 75

PLACES = ("Umeå", "Borås", "Kiruna", "Ystad", "Falun", "Visby", "Luleå", "Kalmar")
STEDER = ("Bodø", "Hamar", "Molde", "Tromsø", "Ålesund", "Skien", "Lillehammer", "Narvik")

CALM_SV = (
    "Någon mer som har Fjelltele i {place}? Funkar fint hos mig sen de byggde ut masten.",
    "Bytte till Fjelltele i höstas, inget att klaga på hittills. Kundtjänsten svarade på två minuter.",
    "Hur gör man för att flytta numret till Fjelltele? Har väntat sen i tisdags men ingen stress.",
    "Fjelltele eller Polarnett för en stuga utanför {place}? Behöver bara surf på helgerna.",
    "Tips: Fjelltele Pay går att koppla till föreningskonton nu, funkade direkt för oss.",
    "Täckningen är bättre än väntat, satt på tåget förbi {place} och såg hela matchen.",
    "Nya appen är helt ok, men varför flyttade de på knappen för kvitton?",
    "Vet någon om familjeabonnemanget gäller i Norge också? Ska till fjällen i påsk.",
)
CALM_NB = (
    "Har noen Fjelltele i {place}? Lurer på dekningen før jeg bytter.",
    "Fornøyd med Fjelltele så langt, og prisen er grei nok.",
    "Hvordan sletter jeg et gammelt kort i Fjelltele Pay? Finner det ikke i appen.",
    "Kjørte forbi {place} i går, full dekning hele veien. Bra jobba.",
    "Er det noen forskjell på de to største abonnementene, bortsett fra data i utlandet?",
)
GRUMBLES = (
    ("sv", "Tredje gången fakturan är fel. Har mejlat Fjelltele och får samma standardsvar.", "price", "samma standardsvar"),
    ("sv", "En timme i kö till kundtjänst och sen bröts samtalet. Tack för det, Fjelltele.", "staff", "en timme i kö"),
    ("nb", "Appen logger meg ut hver gang jeg skal betale. Er det meningen?", "friction", "logger meg ut"),
    ("nb", "Nå har jeg ventet ti dager på SIM-kortet fra Fjelltele. Dårlig.", "delivery", "ventet ti dager"),
    ("sv", "Ingen täckning i {place} sen i morse, men driftinformationen är grön.", "availability", "ingen täckning"),
)  # fmt: skip
WORRIES = (
    ("sv", "Fick ett sms om att mitt konto spärras. Är det från er eller ska jag vara orolig?", "trust", "vara orolig"),
    ("nb", "Litt bekymret her, pengene er trukket, men butikken sier at de ikke har fått noe.", "trust", "bekymret"),
)  # fmt: skip
CRISIS = (
    (
        "sv",
        "Ser att det dragits två gånger och hyran ska ut i morgon. Vem ringer man ens nu?",
        "dragits två gånger",
    ),
    ("sv", "Har Fjelltele tömt mitt konto? Snälla svara nån.", "snälla svara"),
    ("sv", "dubbeldragning här me, banken säger vänta 3 dagar", "dubbeldragning"),
    (
        "sv",
        "Vågar inte logga in och kolla. Kortet nekades på macken nyss, samma för någon annan i {place}?",
        "vågar inte logga in",
    ),
    ("sv", "Matkontot är på minus 4 200 kr. Två barn och helg, vad gör man?", "på minus"),
    ("sv", "Samma belopp draget tre gånger sen i natt. Nu börjar jag bli riktigt rädd.", "riktigt rädd"),
    (
        "sv",
        "Kundtjänst öppnar klockan åtta, tills dess sitter man här och stirrar på saldot.",
        "stirrar på saldot",
    ),
    ("sv", "Är det ett intrång? Någon som vet om man ska spärra kortet?", "intrång"),
    (
        "sv",
        "Mamma ringde och grät, hela pensionen borta från Fjelltele Pay. Hon är 81.",
        "hela pensionen borta",
    ),
    (
        "sv",
        "Ingen driftinformation, inget svar i chatten. Hur svårt ska det vara att säga något?",
        "inget svar",
    ),
    (
        "nb",
        "Tør ikke sjekke kontoen. Er det bare meg, eller er det trukket dobbelt hos alle?",
        "tør ikke sjekke",
    ),
    ("nb", "Trukket to ganger i natt, og huslånet går på mandag. Får vi dem tilbake?", "trukket to ganger"),
    ("nb", "Kortet ble avvist på butikken i {place}. Hva skjer, Fjelltele?", "avvist"),
    ("nb", "Noen som har fått svar? Jeg er skikkelig redd for at dette er svindel.", "skikkelig redd"),
)
MODEL = "lexicon 3"
SOURCES = (
    ("natforum", "Nätforum", "forum", "crawl"), ("mobilprat", "Mobilprat", "forum", "crawl"),
    ("trafikforum", "Trafikforum", "forum", "crawl"), ("inkorgen", "Inkorgen", "inbox", "imap"),
    ("nordisk", "Nordisk Nätnytt", "news", "feed"), ("omdomen", "Omdömesplatsen", "review", "crawl"),
    ("torget", "Torget", "social", "mastodon"),
)  # fmt: skip
CHANNEL_OF = {source: channel for source, _, channel, _ in SOURCES}
HOURLY = (2, 1, 1, 1, 1, 2, 5, 9, 11, 10, 10, 13, 15, 12, 10, 10, 12, 14, 15, 16, 15, 11, 7, 4)
"""Share of the day's voices in each local hour, in hundredths and more."""


def score_of(
    language: str,
    *,
    anxious: bool = False,
    complaint: bool = False,
    theme: str = "",
    word: str = "",
    sentiment: float = 0.1,
) -> Score:
    about = "anxiety" if anxious else "complaint"
    why = (
        (Reason(about, word, 1.6),) + ((Reason(theme, word.split()[0], 0.8),) if theme else ())
        if word
        else ()
    )
    return Score(
        language=language, sentiment=sentiment, anxiety=0.88 if anxious else 0.06, complaint=0.8 if complaint else 0.09,
        is_anxious=anxious, is_complaint=complaint, polarity=Polarity.NEGATIVE if sentiment < -0.2 else Polarity.NEUTRAL,
        themes=(theme,) if theme else (), why=why, model=MODEL,
    )  # fmt: skip


def mention(number: int, text: str, at: datetime, *, source: str = "natforum", **changes: Any) -> Mention:
    """One mention; `changes` replace any field."""
    base = Mention(
        id=f"{number:032x}", source=source, kind="crawl", channel=CHANNEL_OF[source], owned=False,
        url=f"https://forum.example.org/t/{number}", author=f"pseudonym-{number}", title="", text=text, language="sv",
        brands=("fjelltele",), published_at=at, fetched_at=at + timedelta(minutes=3),
        retention_until=at + timedelta(days=365), cluster=f"{number:032x}",
    )  # fmt: skip
    return replace(base, **changes)


class MemoryArchive:
    """Search and count, as the contract of `listener.ports.Archive` says; what the page never calls is left out."""

    def __init__(self, mentions: Sequence[Mention]) -> None:
        self._mentions = sorted(mentions, key=lambda m: (m.published_at, m.id))
        self._times = [m.published_at for m in self._mentions]
        self.away = False

    def get(self, mention_id: str) -> Mention | None:
        return next((m for m in self._mentions if m.id == mention_id), None)

    def search(
        self, where: Where, *, limit: int = 50, before: tuple[datetime, str] | None = None
    ) -> list[Mention]:
        found = [m for m in self._matching(where) if before is None or (m.published_at, m.id) < before]
        return found[::-1][:limit]

    def counts(
        self, where: Where, signals: Sequence[Signal], *, start: datetime, end: datetime, bucket: timedelta
    ) -> Mapping[Signal, list[int]]:
        voices: dict[Signal, list[set[str]]] = {
            s: [set() for _ in range((end - start) // bucket)] for s in signals
        }
        for m in self._matching(replace(where, start=start, end=end, originals=True)):
            for signal in signals:
                if flagged(m, signal):
                    voices[signal][(m.published_at - start) // bucket].add(m.author or m.id)
        return {signal: [len(bucket) for bucket in buckets] for signal, buckets in voices.items()}

    def breakdown(self, where: Where, dimension: Dimension) -> Mapping[str, int]:
        voices: Counter[str] = Counter()
        for m in self._matching(replace(where, originals=True)):
            voices.update(values(m, dimension))
        return dict(voices.most_common())

    def total(self) -> int:
        return len(self._mentions)

    def _matching(self, where: Where) -> list[Mention]:
        if self.away:
            raise StoreError("archive: the database is locked")
        first = bisect_left(self._times, where.start) if where.start else 0
        last = bisect_left(self._times, where.end) if where.end else len(self._times)
        return [m for m in self._mentions[first:last] if matches(m, where)]


def flagged(m: Mention, signal: Signal | None) -> bool:
    if signal in (None, Signal.VOLUME):
        return True
    if m.score is None:
        return False
    flags = {
        Signal.ANXIETY: m.score.is_anxious,
        Signal.COMPLAINTS: m.score.is_complaint,
        Signal.NEGATIVE: m.score.is_negative,
    }
    return bool(signal and flags[signal])


def values(m: Mention, dimension: Dimension) -> tuple[str, ...]:
    match dimension:
        case Dimension.CHANNEL:
            return (m.channel,)
        case Dimension.LANGUAGE:
            return (m.language,)
        case Dimension.SOURCE:
            return (m.source,)
        case Dimension.THEME:
            return m.score.themes if m.score else ()


def matches(m: Mention, where: Where) -> bool:
    wanted = (
        not where.brand or where.brand in m.brands,
        not where.channel or where.channel == m.channel,
        not where.language or where.language == m.language,
        not where.source or where.source == m.source,
        not where.theme or where.theme in values(m, Dimension.THEME),
        not (where.originals and m.is_copy),
        flagged(m, where.signal),
    )
    return all(wanted) and (
        where.query is None
        or where.query.matches(
            Document.of(title=m.title, text=m.text, language=m.language, channel=m.channel, source=m.source)
        )
    )


class MemoryIncidents:
    def __init__(self, incidents: Sequence[Incident], acts: Sequence[tuple[datetime, Act, str, str]]) -> None:
        self._incidents, self._acts = list(incidents), list(acts)

    def get(self, incident_id: str) -> Incident | None:
        return next((i for i in self._incidents if i.id == incident_id), None)

    def recent(self, limit: int = 20) -> list[Incident]:
        return self._incidents[:limit]

    def acts(self, incident_id: str) -> list[tuple[datetime, Act, str, str]]:
        return self._acts if self._incidents and incident_id == self._incidents[0].id else []


class MemoryLedger:
    def __init__(
        self, incidents: Sequence[Incident] = (), acts: Sequence[tuple[datetime, Act, str, str]] = ()
    ) -> None:
        self.incidents = MemoryIncidents(incidents, acts)


class RecordedActs:
    """Remembers what it was asked to do."""

    def __init__(self) -> None:
        self.done: list[tuple[str, str]] = []

    def pause(self, source: str, now: datetime) -> None:
        self.done.append(("pause", source))

    def resume(self, source: str, now: datetime) -> None:
        self.done.append(("resume", source))

    def run(self, source: str, now: datetime) -> None:
        self.done.append(("run", source))


def five_weeks(seed: int = 7) -> list[Mention]:
    """Calm days with their rhythm, and the crisis."""
    dice = random.Random(seed)
    found: list[Mention] = []
    hour = (NOW - timedelta(days=DAYS)).replace(minute=0, second=0)
    while hour < NOW:
        local = hour.astimezone(ZONE)
        weekend = 0.75 if local.weekday() > 4 else 1.0
        for _ in range(poisson(dice, HOURLY[local.hour] * weekend * dice.uniform(0.6, 1.5) / 2.2)):
            at = hour + timedelta(seconds=dice.randrange(3600))
            if at < NOW:
                found.append(ordinary(dice, len(found) + 1, at))
        hour += timedelta(hours=1)
    return found + crisis(dice, len(found) + 1)


def poisson(dice: random.Random, mean: float) -> int:
    n, t = 0, dice.expovariate(1)
    while t < mean:
        n, t = n + 1, t + dice.expovariate(1)
    return n


def ordinary(dice: random.Random, number: int, at: datetime) -> Mention:
    source = dice.choices([s[0] for s in SOURCES], [30, 14, 8, 8, 3, 9, 14])[0]
    kind, place, sted = dice.random(), dice.choice(PLACES), dice.choice(STEDER)
    if kind < 0.03:
        language, text, theme, word = dice.choice(WORRIES)
        score = score_of(language, anxious=True, theme=theme, word=word, sentiment=-0.4)
    elif kind < 0.16:
        language, text, theme, word = dice.choice(GRUMBLES)
        score = score_of(language, complaint=True, theme=theme, word=word, sentiment=-0.5)
    else:
        language = "sv" if dice.random() < 0.7 else "nb"
        text = dice.choice(CALM_SV if language == "sv" else CALM_NB)
        score = score_of(
            language, theme=dice.choice(("", "", "product", "price", "availability", "information"))
        )
    text = text.format(place=sted if language == "nb" else place)
    return mention(number, text, at, source=source, language=language, score=score)


def crisis(dice: random.Random, first: int) -> list[Mention]:
    """From a few voices at 02:15 to about forty anxious ones in the last hour."""
    found: list[Mention] = []
    for step, many in enumerate((1, 1, 2, 2, 3, 3, 3, 4, 5, 4, 6, 5, 7, 8, 8, 10, 10, 11, 12, 13)):
        for _ in range(many):
            number, (language, text, word) = first + len(found), dice.choice(CRISIS)
            at = min(
                BEGAN + timedelta(minutes=15 * step, seconds=dice.randrange(900)), NOW - timedelta(seconds=30)
            )
            score = score_of(
                language, anxious=dice.random() < 0.94, complaint=dice.random() < 0.45, sentiment=-0.7, word=word,
                theme=dice.choice(("trust", "trust", "price", "availability")),
            )  # fmt: skip
            text = text.format(place=dice.choice(STEDER if language == "nb" else PLACES))
            source = dice.choices(("natforum", "mobilprat", "inkorgen", "torget"), (60, 16, 18, 12))[0]
            title = "Dubbla dragningar i natt?" if source == "natforum" and language == "sv" else ""
            found.append(
                mention(number, text, at, source=source, language=language, score=score, title=title)
            )
    return found


def simple_band(counts: Sequence[int], starts: Sequence[datetime]) -> list[tuple[float, float, float]]:
    """The mean by local hour of the whole history but its last day, give or take two square roots."""
    known = max(1, len(counts) - 24)
    by_hour: dict[int, list[int]] = {}
    for count, start in zip(counts[:known], starts[:known], strict=True):
        by_hour.setdefault(start.astimezone(ZONE).hour, []).append(count)
    overall = fmean(counts[:known])
    means = [fmean(by_hour.get(start.astimezone(ZONE).hour, [overall])) for start in starts]
    return [(max(0.0, mean - 2 * mean**0.5), mean, mean + 2 * mean**0.5 + 1) for mean in means]


def healths(now: datetime = NOW) -> list[HealthRow]:
    def row(i: int, condition: Condition = Condition.OK, **changes: Any) -> HealthRow:
        known, name, _, kind = SOURCES[i]
        base = HealthRow(
            id=known, name=name, kind=kind, condition=condition, heard=condition is Condition.OK,
            last_ok=NOW - timedelta(minutes=2 + 3 * i), next_run=NOW + timedelta(minutes=4 + i),
            new_24h=(140, 61, 0, 44, 6, 21, 38)[i],
        )  # fmt: skip
        return replace(base, **changes)

    quiet, long_ago = datetime(2026, 3, 14, 0, 40, tzinfo=ZONE), NOW - timedelta(days=3)
    return [
        row(0), row(1), row(2, Condition.SILENT, reason="svarar, men utan nya inlägg", since=quiet, last_ok=quiet),
        row(3), row(4), row(5, Condition.PAUSED, since=long_ago, last_ok=long_ago, next_run=None, new_24h=0),
        row(6),
    ]  # fmt: skip


def quotes() -> tuple[Quote, ...]:
    at = (timedelta(minutes=26), timedelta(minutes=37), timedelta(minutes=43))
    sources = ("natforum", "inkorgen", "mobilprat")
    return tuple(
        Quote(
            mention=f"{i:032x}",
            text=CRISIS[i][1],
            channel=CHANNEL_OF[sources[i]],
            source=sources[i],
            url=f"https://forum.example.org/q/{i}",
            published_at=BEGAN + at[i],
        )
        for i in range(3)
    )


def parts(**counted: tuple[int, float]) -> tuple[Part, ...]:
    """value=(observed, expected)"""
    return tuple(Part(value=value, observed=n, expected=usual) for value, (n, usual) in counted.items())


def growing_incident(**changes: Any) -> Incident:
    base = Incident(
        id="3f9c1a77e0b24d58", rule="oro", brand="fjelltele", state=State.GROWING, began_at=BEGAN,
        opened_at=BEGAN + timedelta(minutes=52), spiked_at=NOW - timedelta(minutes=2), ended_at=None,
        levels=(
            Level(signal=Signal.ANXIETY, observed=39, expected=0.4, low=0, high=2),
            Level(signal=Signal.COMPLAINTS, observed=20, expected=1, low=0, high=3),
        ),
        signals=(Signal.ANXIETY, Signal.COMPLAINTS), peak=39, peak_at=NOW - timedelta(minutes=2), severity=2,
        evidence=Evidence(
            channels=parts(forum=(24, 0.2), inbox=(9, 0.1), social=(6, 0.04)), languages=parts(sv=(29, 0.3), nb=(10, 0.1)),
            themes=parts(trust=(20, 0.3), price=(11, 0.04), availability=(8, 0.05)),
            places=parts(natforum=(20, 0.1), inkorgen=(9, 0.1), torget=(6, 0.04), mobilprat=(4, 0.1)),
            words=("dubbeldragning", "dragits två gånger", "snälla svara"),
            quotes=quotes(), heard=5, sources=6, unheard={"trafikforum": "tyst sedan 00:40"},
        ),
        acknowledged_by="Ida", acknowledged_at=BEGAN + timedelta(minutes=58),
    )  # fmt: skip
    return replace(base, **changes)


def past_incident() -> Incident:
    began = datetime(2026, 2, 24, 17, 30, tzinfo=ZONE)
    return growing_incident(
        id="b1d2", state=State.OVER, began_at=began, opened_at=began + timedelta(minutes=20), ended_at=began + timedelta(hours=4),
        spiked_at=began + timedelta(hours=2), peak=17, peak_at=began + timedelta(hours=1), severity=1, acknowledged_by="",
        levels=(Level(signal=Signal.COMPLAINTS, observed=17, expected=3, low=1, high=6),), signals=(Signal.COMPLAINTS,),
    )  # fmt: skip


def message(incident: Incident) -> MessageView:
    """Like the real one in shape: a header, mrkdwn, rich quotes, context, buttons."""

    def rich(quote: Quote) -> dict[str, Any]:
        return {"type": "rich_text_quote", "elements": [
            {"type": "text", "text": quote.text}, {"type": "text", "text": f" – {quote.channel}, 02:41 "},
            {"type": "link", "url": quote.url, "text": "↗"}]}  # fmt: skip

    return MessageView(
        text="Fjelltele: ovanligt många oroliga kunder, sedan 02:15, växer",
        blocks=[
            {"type": "header", "text": {"type": "plain_text", "text": "Fjelltele: ovanligt många oroliga kunder"}},
            {"type": "section", "text": {"type": "mrkdwn", "text": (
                "Sedan *02:15*, växer. *39 oroliga röster* den senaste timmen, vanligen *0* så här dags (0–2). "
                "Klagomålen följer med: 20 mot 1.\nMest i _forum_ (61) och _inkorgen_ (17), mest på svenska.")}},
            {"type": "rich_text", "elements": [rich(quote) for quote in incident.evidence.quotes]},
            {"type": "context", "elements": [{"type": "mrkdwn", "text": (
                "Hörda källor: 5 av 6 (_Trafikforum tyst sedan 00:40_). Ida har tagit hand om det. "
                "<https://lyhord.example.org/incidents/3f9c|Öppna i Lyhord>")}]},
        ],
    )  # fmt: skip


def config(**changes: Any) -> Config:
    base = Config(
        brands=(Brand(id="fjelltele", name="Fjelltele", queries=("fjelltele",)),),
        sources=tuple(
            Source(id=known, kind=kind, address=f"https://{known}.example.org", channel=channel)
            for known, _, channel, kind in SOURCES
        ),
    )
    return replace(base, **changes)


ACTS = (
    (BEGAN + timedelta(minutes=58), Act.ACKNOWLEDGE, "Ida", ""),
    (BEGAN + timedelta(hours=1, minutes=40), Act.KNOWN_CAUSE, "Ida", "Nattens avstämning kördes två gånger"),
)
WORLD = five_weeks()


def desk(
    mentions: Sequence[Mention] | None = None, incidents: Sequence[Incident] | None = None, **changes: Any
) -> Desk:
    """The crisis at its height; arguments and `changes` make other situations."""
    known = [growing_incident(), past_incident()] if incidents is None else list(incidents)
    base = Desk(
        config=config(), archive=cast(Archive, MemoryArchive(WORLD if mentions is None else mentions)),
        ledger=cast(Ledger, MemoryLedger(known, ACTS)), healths=healths, band=simple_band, message=message,
        now=lambda: NOW, token=TOKEN,
        gaps=lambda start, end: [Gap(NOW - timedelta(hours=15), NOW - timedelta(hours=12))],
    )  # fmt: skip
    return replace(base, **changes)
