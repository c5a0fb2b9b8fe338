"""The parts of one post: when, by whom, under which id. By an engine's selectors, else by what posts have in common."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from itertools import islice
from urllib.parse import unquote

from spiders.forum.dates import FoundDate, Reckoning, find_date, parse_attribute
from spiders.forum.text import is_button
from spiders.forum.tree import Element, ancestors, elements, length, names, plain, prefer, spaced

_TIME_ATTRIBUTES = (
    "datetime",
    "data-time",
    "data-timestamp",
    "data-utime",
    "data-epoch",
    "data-date",
    "data-created",
    "data-datetime",
    "timestamp",
)
_NOT_PUBLISHED = re.compile(
    r"\b(?:edited|last edit|modified|updated|redigera[dt]|redigert|redigeret|ändra[dt]|endret|ændret|"
    r"oppdatert|opdateret|uppdatera[dt]|"
    r"muokattu|bearbeitet|geändert|joined|registered|registrera[dt]|registrert|registreret|member "
    r"since|medlem|blev medlem|liittynyt|"
    r"dabei seit|last seen|senast aktiv|sist aktiv|sidst aktiv|birthday|join date|reg\.?datum)\b",
    re.IGNORECASE,
)
_EDITED = re.compile(
    r"\b(?:edited|last edit|modified|redigera[dt]|redigert|redigeret|ändra[dt]|endret|ændret|"
    r"uppdatera[dt]|oppdatert|opdateret|updated|muokattu|bearbeitet|geändert)\b",
    re.IGNORECASE,
)
_AUTHOR_CLASS = re.compile(
    r"(?:^|[\s_-])(?:author|autor|forfatter|forfattare|författare|kirjoittaja|user-?name|user_?name|"
    r"poster|nick(?:name)?|byline|by-line|"
    r"creator|member-?name|displayname|display-name|fn|hnuser|screen-?name|skribent|avsandare|"
    r"avsender|user|bruker|bruger|anvandare)(?=$|[\s_-])",
    re.IGNORECASE,
)
_PROFILE_HREF = re.compile(
    r"(?:^|[/?&=])(?:u|users?|members?|profiles?|profil|author|memberlist|anvandare|bruker|bruger|"
    r"kayttaja|user-\d+|~)(?=[/.?&=-]|$)|"
    r"mode=viewprofile|action=profile|[?&](?:user|uid|userid|author|member)=",
    re.IGNORECASE,
)
_BEFORE_NAME = re.compile(
    r"^\W*(?:(?:posted|written|started|asked|answered|submitted|skriv[ei][nt]|skrevet|postat|postad|"
    r"posta|postet|publicerad|publisert|"
    r"publiceret|inlägg|innlegg|indlæg|inlagt|lagt upp|startad|startet|kirjoittanut|kirjoittaja|"
    r"lähettänyt|geschrieben|verfasst|erstellt|"
    r"author|författare|forfatter|användare|bruker|bruger|namn|navn|name|från|fra|from|"
    r"re)\s*:?\s*)?(?:(?:by|av|af|von|from)\b)?\s*:?\s*",
    re.IGNORECASE,
)
_AFTER_NAME = re.compile(
    r"\s*(?:\b(?:wrote|writes|says|said|skrev|skriver|säger|sier|siger|sa|sanoo|kirjoitti|schrieb|"
    r"sagt|posted|on|den|at|kl|klo|the)\b\s*)*[\s:,|»«·•–—@(\[#-]*$",
    re.IGNORECASE,
)
_EMPHASISED = frozenset(
    ("b", "strong", "h2", "h3", "h4", "h5", "h6", "dt", "th", "address", "cite", "em", "i", "a")
)
_NEVER_NAMES = frozenset(
    ("h1", "script", "style", "button", "option", "label", "q", "blockquote", "time", "img", "br", "hr")
)
_NO_NAME = re.compile(
    r"^\W*\d*\W*$|:\s*$|^\W*#?\d+\W|:\s*\d+$|^(?:medlem|member|newbie|guest|administrator|admin|"
    r"moderator|inlägg|innlegg|indlæg|posts?|"
    r"online|offline|op|ts|svar|re|sida|side|page)\b\s*\S*$",
    re.IGNORECASE,
)
MAX_NAME = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """What holds for the whole page."""

    url: str
    reckoning: Reckoning
    above: frozenset[str] = frozenset()
    """Keys of the lists by which this page was reached; its links to them are no threads."""
    is_thread: bool = False
    """The page was a thread when it was last read."""
    place: str = ""
    """Where the posts of other pages of this forum stand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dated:
    """A date and the element that shows it (None: it came from outside the tree)."""

    found: FoundDate
    element: Element | None


def own_date(element: Element, reckoning: Reckoning, *, limit: int = 80) -> FoundDate | None:
    """The date that this very element shows: in an attribute for machines, in its title, or as its own short text."""
    for name in _TIME_ATTRIBUTES:
        value = element.get(name)
        if value and (found := parse_attribute(value, reckoning)):
            return found
    if (
        element.get("content")
        and "date" in (element.get("itemprop") or element.get("property") or "").lower()
    ):
        return parse_attribute(element.get("content"), reckoning)
    title = element.get("title")
    if (
        title
        and len(title) <= 60
        and length(element) <= 60
        and (found := parse_attribute(title, reckoning))
        and not found.relative
    ):
        return found
    text = own_text(element)
    if not text or len(text) > limit or _NOT_PUBLISHED.search(text):
        return None
    found = find_date(text, reckoning)
    return found if found and len(text) - (found.end - found.start) <= limit // 2 else None


def shown_date(element: Element, reckoning: Reckoning) -> FoundDate | None:
    """The date that an element shows, itself or in parts: what is made for machines first, then all its words together."""
    machine = (
        own_date(e, reckoning)
        for e in elements(element)
        if any(e.get(name) for name in (*_TIME_ATTRIBUTES, "content"))
    )
    found = next(filter(None, machine), None)
    words = spaced(element)
    if found is None and len(words) <= 160:
        found = find_date(words, reckoning)
    return found or next(filter(None, (own_date(e, reckoning) for e in elements(element))), None)


def _with_time_beside(element: Element, found: FoundDate, reckoning: Reckoning) -> FoundDate:
    """The hour often stands in an element beside the day."""
    parent = element.getparent()
    if found.has_time or found.relative or parent is None or length(parent) > 60:
        return found
    whole = find_date(spaced(parent), reckoning)
    return whole if whole and whole.has_time else found


def own_text(element: Element) -> str:
    return " ".join(" ".join([element.text or "", *((child.tail or "") for child in element)]).split())


def tells_of_posting(element: Element) -> bool:
    """Whether a date stands for publishing, and not for editing, joining or anything else about it."""
    around = plain(element)
    parent = element.getparent()
    if parent is not None and length(parent) <= 80:
        around = _up_to(parent, element)
    marks = f"{names(element)} {names(parent) if parent is not None else ''} {element.get('itemprop') or ''}"
    return not (
        _NOT_PUBLISHED.search(around)
        or re.search(r"edit|modif|updated|joined|register|dateModified", marks, re.IGNORECASE)
    )


def _up_to(parent: Element, element: Element) -> str:
    """What an element says, and what is said before it: "Edited: 12 January". What follows is the post's own words."""
    said = [parent.text or ""]
    for child in parent:
        said.append(plain(child) if isinstance(child.tag, str) else "")
        if child is element:
            break
        said.append(child.tail or "")
    return " ".join(said)


def find_published(item: Element, css: str, sheet: Sheet, text: Element | None = None) -> Dated | None:
    """When a post was published: the selector's, else the first date in the post outside its text."""
    for element, value in prefer(item, css):
        found = (
            parse_attribute(value, sheet.reckoning)
            if element is None
            else shown_date(element, sheet.reckoning)
        )
        if found:
            return Dated(found=found, element=element)
    inside = set(elements(text)) if text is not None and text is not item else set()
    later: Dated | None = None
    for element in elements(item):
        if element in inside or element.tag in {"script", "style"}:
            continue
        found = own_date(element, sheet.reckoning)
        if found and tells_of_posting(element):
            found = _with_time_beside(element, found, sheet.reckoning)
            if element.tag == "time" or element.get("itemprop") == "datePublished" or not found.relative:
                return Dated(found=found, element=element)
            later = later or Dated(found=found, element=element)
    return later


def find_edited(item: Element, sheet: Sheet) -> FoundDate | None:
    for element in elements(item):
        words = " ".join([own_text(element)[:120], names(element), element.get("itemprop") or ""])
        if _EDITED.search(words) or "dateModified" in words:
            value = plain(element)[:160]
            found = own_date(element, sheet.reckoning) or find_date(value, sheet.reckoning)
            inner = next(filter(None, (own_date(e, sheet.reckoning) for e in elements(element))), None)
            if (found or inner) and len(value) < 160:
                return found or inner
    return None


def clean_name(text: str, reckoning: Reckoning) -> str:
    """ "Skrivet av Kalle » 12 jan 2026" → "Kalle"; "" for what is no name."""
    text = " ".join(text.split())[:200]
    found = find_date(text, reckoning)
    if found:
        before = _bare_name(text[: found.start])
        text = before if re.search(r"\w", before) else text[found.end :]
    text = _bare_name(text)
    return text if 0 < len(text) <= MAX_NAME and re.search(r"\w", text) and len(text.split()) <= 5 else ""


def _bare_name(text: str) -> str:
    return _AFTER_NAME.sub("", _BEFORE_NAME.sub("", text)).strip(" \t,:;|»«·•–—")


def find_author(
    item: Element, css: str, sheet: Sheet, date: Element | None, inside: Collection[Element] = frozenset()
) -> tuple[str, Element | None]:
    """Who wrote a post and the element that says so; ("", None) when nobody is named. `inside`: elements of the post's text."""
    for element, value in prefer(item, css):
        if name := clean_name(
            value if element is None else element.get("content") or spaced(element), sheet.reckoning
        ):
            return name, element
    for name in ("data-author", "data-username", "data-user-name", "data-user", "data-nick"):
        if value := clean_name(item.get(name) or "", sheet.reckoning):
            return value, None
    for test in _AUTHOR_TESTS:
        for element in elements(item):
            if element not in inside and element is not item and test(element):
                name = clean_name(element.get("content") or spaced(element), sheet.reckoning)
                if name and not find_date(name, sheet.reckoning):
                    return name, element
    return _author_beside(item, date, inside, sheet)


def _marked_author(element: Element) -> bool:
    prop, rel = element.get("itemprop") or "", element.get("rel") or ""
    if prop == "name" and any(
        "author" in (a.get("itemprop") or "") or "creator" in (a.get("itemprop") or "")
        for a in ancestors(element)
    ):
        return True
    return "author" in rel.split() or (prop in {"author", "creator"} and length(element) <= MAX_NAME)


def _classed_author(element: Element) -> bool:
    return (
        bool(_AUTHOR_CLASS.search(element.get("class") or ""))
        and 0 < length(element) <= MAX_NAME
        and element.tag not in {"img", "form"}
    )


def _profile_link(element: Element) -> bool:
    return (
        element.tag == "a"
        and bool(_PROFILE_HREF.search(element.get("href") or ""))
        and 0 < length(element) <= MAX_NAME
    )


def names_itself(element: Element) -> bool:
    """A one-word link to an address that ends in the same word: /kunde/astrid_b."""
    if element.tag != "a" or not 0 < length(element) <= 30:
        return False
    name = plain(element)
    return " " not in name and unquote(element.get("href") or "").rstrip("/").lower().endswith(
        (f"/{name.lower()}", f"={name.lower()}")
    )


_AUTHOR_TESTS = (_marked_author, _classed_author, _profile_link, names_itself)


def names_author(element: Element) -> bool:
    """Whether markup, class or target says that this element is an author's name (a board may well be /board/coffee)."""
    return any(test(element) for test in _AUTHOR_TESTS[:-1])


def _author_beside(
    item: Element, date: Element | None, inside: Collection[Element], sheet: Sheet
) -> tuple[str, Element | None]:
    """No mark at all: a name in the date's own words, else the first short emphasised or short text before the post's text."""
    if date is not None and (name := clean_name(own_text(date), sheet.reckoning)) and date.tag != "time":
        return name, None
    best: tuple[int, str, Element | None] = (0, "", None)
    for element in elements(item):
        if element in inside or element in (date, item) or element.tag in _NEVER_NAMES or is_button(element):
            continue
        text = spaced(element)
        if (
            not 0 < len(text) <= 40
            or (len(element) and element.tag not in _EMPHASISED)
            or _NO_NAME.search(text)
        ):
            continue
        score = 1 + 2 * (element.tag in _EMPHASISED) + 2 * _are_near(element, date)
        if score > best[0] and (name := clean_name(text, sheet.reckoning)):
            best = (score, name, element)
    return best[1], best[2]


def _are_near(element: Element, date: Element | None) -> bool:
    if date is None:
        return False
    near = [date, *islice(ancestors(date), 2)][-1]
    return date.getparent() in list(islice(ancestors(element), 2)) or element in near
