"""The message of an incident: Block Kit for Slack, a fallback that can stand alone on a locked phone, lines
for the terminal. Pure.

Everything is said with rich_text elements, in which Slack gives no character a meaning, so what other people
wrote stays text. Only the fallback is read as mrkdwn: it holds no one else's words, and is escaped all the
same. Sizes: blocks at most 50, all their text under 13 000 characters, fallback under 4 000
(https://docs.slack.dev/reference/block-kit/blocks).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from itertools import groupby
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from alerts.plain import brief, inert, shorten
from alerts.words import TABLES, Words
from listener.incident import Incident, Level, Part, Quote, State, shares_of_excess

FALLBACK_LANGUAGE = "en"
MAX_FALLBACK = 1_000
MAX_URL = 2_000
_BRAND, _NAME, _REASON, _WORD, _QUOTE = 60, 60, 120, 30, 280
_LISTED, _UNHEARD_LISTED = 3, 4
_CARRIES, _PLACE_CARRIES = 0.1, 0.5
"""The least share of the excess with which a part, and a source by name, is told."""
_GROWN, _MANY_NEW, _SHARE_UP, _SHARE_SAME, _COVERED = 1.5, 0.5, 1.5, (0.8, 1.25), 0.95
"""A fact is told from here on; what says less is left out, for the message is read on a phone."""
_THIN_SPACE = "\u202f"
_BREAKER = "\u200b"


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Where the message leads: addresses of the incident's page and of its view in Kibana; "" = none."""

    console: str = ""
    kibana: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """`text`: fallback for notifications; `blocks`: Block Kit; `lines`: for the terminal, without any
    markup."""

    text: str
    blocks: list[dict[str, Any]]
    lines: list[str]


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of text of one look."""

    text: str
    bold: bool = False
    url: str = ""


@dataclass(frozen=True, slots=True)
class Paragraph:
    """`block` names the Slack block that it goes into; `quoted`: other people's words."""

    block: str
    spans: tuple[Span, ...]
    quoted: bool = False

    @property
    def plain(self) -> str:
        return "".join(span.text for span in self.spans)


@dataclass(frozen=True, slots=True)
class Teller:
    """Words, zone and names with which an incident is told. `today` is the local day of the newest thing
    told; `usual`: tell beside each part how many are usual there."""

    say: Words
    zone: tzinfo
    today: datetime
    names: Mapping[str, str] = field(default_factory=dict)
    usual: bool = True

    def time(self, moment: datetime) -> str:
        """02:15 today, tis 02:15 in the week before, else with the date."""
        local = moment.astimezone(self.zone)
        clock = f"{local:%H:%M}"
        if local.date() == self.today.date():
            return clock
        if abs(local.date() - self.today.date()) < timedelta(days=7):
            return f"{self.say.weekdays[local.weekday()]} {clock}"
        return f"{local:%Y-%m-%d} {clock}"

    def name(self, source: str) -> str:
        return brief(self.names.get(source, source), _NAME)

    def listed(self, items: Sequence[str]) -> str:
        """a, b och c."""
        if len(items) < 2:
            return "".join(items)
        return f"{', '.join(items[:-1])} {self.say.conjunction} {items[-1]}"

    def carried(self, parts: Sequence[Part], name: Callable[[str], str], most: int = _LISTED) -> str:
        """forum (29, vanligen 4) och inkorgen (9, vanligen 1): the few that carry the excess; "" when none does."""
        shares = shares_of_excess(parts)
        told = [part for part, share in zip(parts, shares, strict=True) if share >= _CARRIES][:most]
        return self.listed([self._part(part, name(part.value)) for part in told])

    def _part(self, part: Part, name: str) -> str:
        if part.expected is None or not self.usual:
            return f"{name} ({number(part.observed)})"
        return self.say.part.format(
            name=name, observed=number(part.observed), expected=self.about(part.expected)
        )

    def about(self, expected: float) -> str:
        return number(round(expected)) if round(expected) else self.say.almost_none

    def times(self, factor: float) -> str:
        """3, 2,5: one decimal where there is one to tell."""
        return f"{factor:.1f}".removesuffix(".0").replace(".", self.say.decimal_mark)


def build(
    incident: Incident,
    *,
    brand: str,
    language: str,
    zone: tzinfo,
    links: Links,
    source_names: Mapping[str, str] | None = None,
) -> Message:
    """Tell an incident. `brand`: its name as people say it; `language`: one of LANGUAGES, another is told in
    English; `source_names`: source id → name, the id where there is none."""
    say = TABLES.get(language, TABLES[FALLBACK_LANGUAGE])
    newest = incident.ended_at or incident.spiked_at
    # Where hardly any voices are usual at all, the numbers say so once, and it goes for each part.
    usual = incident.state is State.OVER or bool(round(incident.levels[0].expected))
    teller = Teller(say, zone, newest.astimezone(zone), source_names or {}, usual)
    paragraphs = [
        _news(incident, brief(brand, _BRAND), teller),
        _numbers(incident, teller),
        _context(incident, teller),
        _about(incident, teller),
        _where(incident, teller),
        *(_quote(said, teller) for said in incident.evidence.quotes),
        _heard(incident, teller),
        _search_away(incident, teller),
        _handled(incident, teller),
        _links(links, teller),
    ]
    told = [paragraph for paragraph in paragraphs if paragraph.plain]
    fallback = f"{told[0].plain}. {told[1].plain}"
    return Message(
        text=escape(shorten(fallback, MAX_FALLBACK)),
        blocks=_blocks(told),
        lines=[_line(paragraph) for paragraph in told],
    )


def number(value: int) -> str:
    """1 234 with a narrow space that does not break."""
    return f"{value:,}".replace(",", _THIN_SPACE)


def percent(share: float) -> str:
    """A share in [0, 1] as whole percent without the sign; "<1" for what is little and not nothing."""
    return "<1" if 0 < share < 0.005 else number(round(100 * share))


def escape(text: str) -> str:
    """Text → mrkdwn that shows just this text: no markup, no mention, no link."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"[@#]|:(?=//)", lambda found: found[0] + _BREAKER, escaped)


def safe_link(url: str) -> tuple[str, str] | None:
    """(address that may be linked, its host as shown), or None. The host is shown in ASCII, so that a
    look-alike letter is seen; an address with a user name in it could pose as another and is refused."""
    if len(url) > MAX_URL:
        return None
    try:
        parts = urlsplit(inert(url))
        host = (parts.hostname or "").encode("idna").decode("ascii")
        port = f":{parts.port}" if parts.port else ""
    except (UnicodeError, ValueError):
        return None
    if parts.scheme not in ("http", "https") or not host or parts.username is not None:
        return None
    rest = [quote(part, safe="/%:=&?+,;@!$'()*~") for part in (parts.path, parts.query, parts.fragment)]
    address = urlunsplit((parts.scheme, host + port, *rest))
    return (address, host) if len(address) <= MAX_URL and re.fullmatch(r"[a-z0-9.\-]+", host) else None


def _news(incident: Incident, brand: str, teller: Teller) -> Paragraph:
    say, signal = teller.say, incident.levels[0].signal
    if incident.state is State.OVER:
        settled = _settled(incident)
        title = say.title_over[signal] if settled else say.title[signal]
        rest = "" if settled else f" · {say.state[State.OVER]}"
    else:
        title = say.title[signal]
        rest = f" · {say.since.format(time=teller.time(incident.began_at))}, {say.state[incident.state]}"
    return Paragraph("news", (Span(title.format(brand=brand), bold=True), Span(rest)))


def _settled(incident: Incident) -> bool:
    """False when people closed it while the voices were still many."""
    return all(level.observed <= level.high for level in incident.levels if level.signal in incident.signals)


def _numbers(incident: Incident, teller: Teller) -> Paragraph:
    say, lead = teller.say, incident.levels[0]
    if incident.state is State.OVER:
        return Paragraph("numbers", (Span(_over(incident, teller)),))
    one, many = say.voices[lead.signal]
    count = f"{number(lead.observed)} {one if lead.observed == 1 else many}"
    form = say.usual if round(lead.high) > 0 else say.usual_none
    usual = form.format(
        expected=teller.about(lead.expected), low=number(round(lead.low)), high=number(round(lead.high))
    )
    others = "".join(f" {_other(level, teller)}" for level in incident.levels[1:])
    hour = f"{say.last_hour}{_hour_before(incident, teller)}"
    return Paragraph("numbers", (Span(count, bold=True), Span(f" {hour}, {usual}.{others}")))


def _is_fresh(incident: Incident) -> bool:
    """Evidence and levels are of the same window; when the voices fall, the evidence stays that of the height."""
    return incident.state in (State.OPEN, State.GROWING)


def _hour_before(incident: Incident, teller: Teller) -> str:
    """How fast it grows, when it does."""
    before, now = incident.evidence.hour_before, incident.levels[0].observed
    if before is None or not _is_fresh(incident) or now < _GROWN * before:
        return ""
    return f" ({teller.say.hour_before.format(count=number(before))})"


def _context(incident: Incident, teller: Teller) -> Paragraph:
    """What puts the numbers in proportion: a known cause, a normal level that moved, shares, new voices."""
    say, said = teller.say, list[str]()
    if incident.known_cause:
        said.append(say.known_cause.format(cause=brief(incident.known_cause, _NAME)))
    if incident.new_normal > 0 and incident.new_normal_since:
        times, time = teller.times(incident.new_normal), teller.time(incident.new_normal_since)
        said.append(say.new_normal.format(times=times, time=time))
    said += [_share(incident, teller), _new_voices(incident, teller)]
    return Paragraph("numbers", (Span(" ".join(sentence for sentence in said if sentence)),))


def _share(incident: Incident, teller: Teller) -> str:
    """Do more people talk, or do more of those who talk worry? Of the first signal that is too high and has a
    share of all voices; "" while neither is clear."""
    for level in incident.levels if _is_fresh(incident) else ():
        if level.observed > level.high and level.share and level.usual_share is not None:
            form = _share_form(level.share, level.usual_share, teller.say)
            return form.format(
                signal=teller.say.all_of[level.signal],
                share=percent(level.share),
                observed=number(level.observed),
                all=number(round(level.observed / level.share)),
                usual=percent(level.usual_share),
            )
    return ""


def _share_form(share: float, usual: float, say: Words) -> str:
    lowest, highest = _SHARE_SAME
    if share >= _SHARE_UP * usual:
        return say.share_up
    return say.share_same if lowest * usual <= share <= highest * usual else ""


def _new_voices(incident: Incident, teller: Teller) -> str:
    voices = incident.levels[0].observed
    new = min(incident.evidence.new_voices, voices)  # the archive was asked twice, and may have grown between
    if not _is_fresh(incident) or not new or new < _MANY_NEW * voices:
        return ""
    return teller.say.new_voices.format(new=number(new), all=number(voices))


def _over(incident: Incident, teller: Teller) -> str:
    one, many = teller.say.voices[incident.levels[0].signal]
    return teller.say.over.format(
        began=teller.time(incident.began_at),
        ended=teller.time(incident.ended_at or incident.spiked_at),
        peak=f"{number(incident.peak)} {one if incident.peak == 1 else many}",
        peak_at=teller.time(incident.peak_at),
    )


def _other(level: Level, teller: Teller) -> str:
    phrase = teller.say.follows if level.observed > level.high else teller.say.unchanged
    return phrase.format(
        signal=teller.say.all_of[level.signal],
        observed=number(level.observed),
        expected=teller.about(level.expected),
    )


def _about(incident: Incident, teller: Teller) -> Paragraph:
    say, evidence = teller.say, incident.evidence
    said = []
    if themes := teller.carried(evidence.themes, _named(say.themes)):
        said.append(say.about.format(themes=themes))
    if evidence.words:
        words = [say.quote.format(text=brief(word, _WORD)) for word in evidence.words]
        said.append(say.striking.format(words=", ".join(words)))
    return Paragraph("about", (Span(" ".join(said)),))


def _where(incident: Incident, teller: Teller) -> Paragraph:
    """Channels always; a source by name when it carries most, and languages, when there is more than one."""
    say, evidence = teller.say, incident.evidence
    said = []
    if channels := teller.carried(evidence.channels, _named(say.channels)):
        said.append(say.mostly_in.format(channels=channels))
    if len(evidence.places) > 1 and max(shares_of_excess(evidence.places)) >= _PLACE_CARRIES:
        said.append(say.mostly_from.format(places=teller.carried(evidence.places, teller.name, most=1)))
    if len(evidence.languages) > 1 and any(part.excess for part in evidence.languages):
        languages = teller.carried(evidence.languages, _named(say.languages), most=2)
        said.append(say.mostly_language.format(languages=languages))
    sentence = ", ".join(said)
    return Paragraph("about", (Span(f"{sentence[0].upper()}{sentence[1:]}." if sentence else ""),))


def _named(names: Mapping[str, str]) -> Callable[[str], str]:
    return lambda value: names.get(value) or brief(value, _WORD)


def _quote(said: Quote, teller: Teller) -> Paragraph:
    place = teller.say.channels.get(said.channel) or brief(said.channel, _WORD)
    spans = [
        *_with_bold(teller.say.quote.format(text=brief(said.text, _QUOTE)), said.why),
        Span(f" – {place}, {teller.time(said.published_at)}"),
    ]
    if link := safe_link(said.url):
        address, host = link
        spans += [Span(" · "), Span(f"{shorten(host, _NAME)} ↗", url=address)]
    return Paragraph("quotes", tuple(spans), quoted=True)


def _with_bold(text: str, words: Sequence[str]) -> list[Span]:
    """The text, with the first place of each of the words in bold."""
    found = (re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text) for word in words if word)
    spans: list[Span] = []
    done = 0
    for start, end in sorted(its.span() for its in found if its):
        if start >= done:
            spans += [Span(text[done:start]), Span(text[start:end], bold=True)]
            done = end
    return [span for span in (*spans, Span(text[done:])) if span.text]


def _heard(incident: Incident, teller: Teller) -> Paragraph:
    say, evidence = teller.say, incident.evidence
    said = []
    if evidence.sources and not evidence.unheard:
        said.append(say.heard_all.format(sources=number(evidence.sources)))
    elif evidence.sources:
        unheard = _unheard(evidence.unheard, teller)
        said.append(
            say.heard_some.format(
                heard=number(evidence.heard), sources=number(evidence.sources), unheard=unheard
            )
        )
    if incident.coverage < _COVERED:
        said.append(say.coverage.format(share=percent(incident.coverage)))
    if evidence.unheard and incident.state is State.FALLING and _settled(incident):
        said.append(say.not_over_yet)
    return Paragraph("status", (Span(" ".join(said)),))


def _search_away(incident: Incident, teller: Teller) -> Paragraph:
    """Not of an incident that is over: nobody brings its message up to date when the search is back."""
    since = incident.evidence.search_away_since
    if since is None or incident.state is State.OVER:
        return Paragraph("status", ())
    return Paragraph("status", (Span(teller.say.search_away.format(time=teller.time(since))),))


def _unheard(sources: Mapping[str, str], teller: Teller) -> str:
    silent = [
        f"{teller.name(source)}: {brief(why, _REASON)}" if why else teller.name(source)
        for source, why in list(sources.items())[:_UNHEARD_LISTED]
    ]
    more = "; …" if len(sources) > _UNHEARD_LISTED else ""
    return "; ".join(silent) + more


def _handled(incident: Incident, teller: Teller) -> Paragraph:
    say = teller.say
    over = incident.state is State.OVER
    said = [] if over else [say.level.format(severity=say.severities[incident.severity])]
    if incident.acknowledged_by and incident.acknowledged_at:
        who = brief(incident.acknowledged_by, _NAME)
        said.append(say.taken.format(who=who, time=teller.time(incident.acknowledged_at)))
    elif not over:
        said.append(say.nobody_yet)
    if incident.snoozed_until and not over:
        said.append(say.snoozed.format(time=teller.time(incident.snoozed_until)))
    if incident.verdict:
        verdict = say.verdicts.get(incident.verdict, brief(incident.verdict, _NAME))
        said.append(say.marked.format(verdict=verdict))
    return Paragraph("status", (Span(" ".join(said)),))


def _links(links: Links, teller: Teller) -> Paragraph:
    spans: list[Span] = []
    for text, url in ((teller.say.open_console, links.console), ("Kibana", links.kibana)):
        if link := safe_link(url):
            spans += [Span(" · ")] if spans else []
            spans.append(Span(text, url=link[0]))
    return Paragraph("links", tuple(spans))


def _blocks(paragraphs: Sequence[Paragraph]) -> list[dict[str, Any]]:
    """One rich_text block for each run of paragraphs of one name; buttons may be put before the block
    `links`."""
    return [
        {"type": "rich_text", "block_id": name, "elements": [_element(paragraph) for paragraph in run]}
        for name, run in groupby(paragraphs, key=lambda paragraph: paragraph.block)
    ]


def _element(paragraph: Paragraph) -> dict[str, Any]:
    kind = "rich_text_quote" if paragraph.quoted else "rich_text_section"
    return {"type": kind, "elements": [_piece(span) for span in paragraph.spans if span.text]}


def _piece(span: Span) -> dict[str, Any]:
    piece: dict[str, Any] = {"type": "text", "text": span.text}
    if span.url:
        piece |= {"type": "link", "url": span.url}
    if span.bold:
        piece["style"] = {"bold": True}
    return piece


def _line(paragraph: Paragraph) -> str:
    if paragraph.block == "links":
        return "".join(f"{span.text}: {span.url}" if span.url else span.text for span in paragraph.spans)
    return f"  {paragraph.plain}" if paragraph.quoted else paragraph.plain
