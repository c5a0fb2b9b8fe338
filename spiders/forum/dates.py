"""Dates as forums write them, in sv, nb, nn, da, fi, en and de → aware datetimes. Pure: `now` and the zone are arguments."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from email.utils import parsedate_to_datetime
from functools import lru_cache


@dataclass(frozen=True, slots=True, kw_only=True)
class Reckoning:
    """How the dates of one page are to be read. `month_first`: 01/12/2026 is 12 January."""

    now: datetime
    zone: tzinfo = UTC
    month_first: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundDate:
    """A date in a text: where it stands there, and how exact it is. `relative`: reckoned from now ("3 hours ago"),
    so it differs between two readings; `has_time`: an hour was given."""

    at: datetime
    start: int
    end: int
    relative: bool = False
    has_time: bool = False


_MONTHS = (
    r"jan(?:uar[iy]?)?|tammikuu(?:n|ta)?|jänner",
    r"feb(?:r(?:uar[iy]?)?)?|helmikuu(?:n|ta)?",
    r"mar(?:s|ts|ch|z)?|märz|mrz|maaliskuu(?:n|ta)?",
    r"apr(?:il)?|huhtikuu(?:n|ta)?",
    r"ma[jiy]|toukokuu(?:n|ta)?",
    r"jun[ie]?|kesäkuu(?:n|ta)?",
    r"jul[iy]?|heinäkuu(?:n|ta)?",
    r"aug(?:ust[i]?)?|elokuu(?:n|ta)?",
    r"sept?(?:ember)?|syyskuu(?:n|ta)?",
    r"o[kc]t(?:ober)?|lokakuu(?:n|ta)?",
    r"nov(?:ember)?|marraskuu(?:n|ta)?",
    r"de[csz](?:ember)?|joulukuu(?:n|ta)?",
)
_MONTH = "(?P<month>" + "|".join(_MONTHS) + r")\b\.?"
_WEEKDAYS = (
    r"måndag|mandag|månd?ag|monday|montag|maanantai(?:na)?",
    r"tisdag|tirsdag|tysdag|tuesday|dienstag|tiistai(?:na)?",
    r"onsdag|wednesday|mittwoch|keskiviikko(?:na)?",
    r"torsdag|thursday|donnerstag|torstai(?:na)?",
    r"fredag|friday|freitag|perjantai(?:na)?",
    r"lördag|lørdag|laurdag|saturday|samstag|lauantai(?:na)?",
    r"söndag|søndag|sundag|sunday|sonntag|sunnuntai(?:na)?",
)
_UNITS = {
    "second": r"s|sek|secs?|seconds?|sekund(?:er)?|sekunder|sekunden?|sekunti(?:a)?",
    "minute": r"m|min|mins|minutes?|minut(?:er|ter)?|minutt(?:er|ar)?|minuten?|minuutti(?:a)?",
    "hour": r"h|t|tim|hrs?|hours?|timm(?:e|ar)|timer?|timar|stunden?|tunti(?:a)?",
    "day": r"d|days?|dag(?:ar|er|e)?|dygn|døgn|tagen?|päivä(?:ä)?",
    "week": r"w|v|weeks?|veck(?:a|or)|uker?|veker?|uger?|wochen?|viikko(?:a)?",
    "month": r"mo|months?|månad(?:er)?|måned(?:er)?|månader|monaten?|kuukau(?:si|tta)",
    "year": r"y|yrs?|years?|år|jahren?|vuo(?:si|tta)",
}
_DAYS = {
    "second": 1 / 86_400,
    "minute": 1 / 1_440,
    "hour": 1 / 24,
    "day": 1,
    "week": 7,
    "month": 30.4,
    "year": 365.25,
}
_NUMBERS = {
    1: r"an?|one|en|ett|ei|et|én|eit|eine[mr]?|yksi",
    2: r"two|två|to|zwei|kaksi",
    3: r"three|tre|drei|kolme",
    4: r"four|fyra|fire|vier|neljä",
    5: r"five|fem|fünf|viisi",
}
_NUMBER_WORD = "|".join(_NUMBERS.values())
_UNIT = "|".join(f"(?P<{name}>{words})" for name, words in _UNITS.items())
_AGO = rf"(?:(?:för|for|vor|ca\.?|about|omkring)\s+)*(?P<count>\d{{1,4}}|{_NUMBER_WORD})\s*(?:{_UNIT})\.?"
_FLAGS = re.IGNORECASE

_TIME = re.compile(
    r"(?<![\d.:/-])(?P<hour>[01]?\d|"
    r"2[0-3])[:.](?P<minute>[0-5]\d)(?:[:.](?P<second>[0-5]\d)(?:\.\d{1,9})?)?(?![\d])"
    r"\s*(?P<half>[ap]\.?m\b\.?)?\s*(?P<zone>Z\b|UTC\b|GMT\b|CES?T\b|EES?T\b|(?:UTC|GMT)?[+-]\d\d:?\d\d\b)?",
    _FLAGS,
)
_SHORT_TIME = re.compile(
    r"(?<![\d.:/-])(?P<hour>1[0-2]|[1-9])\s*(?P<half>[ap]\.?m\b\.?)(?P<minute>)(?P<second>)(?P<zone>)", _FLAGS
)
_ISO = re.compile(r"(?<!\d)(?P<year>(?:19|20)\d\d)([-/.])(?P<m>\d{1,2})\2(?P<day>\d{1,2})(?!\d)T?")
_NUMERIC = re.compile(
    r"(?<![\d.:/-])(?P<a>\d{1,2})(?P<sep>[./-])\s?(?P<b>\d{1,2})(?P=sep)\s?(?P<year>(?:19|20)\d\d|"
    r"\d\d)(?![\d:/-])"
)
_DAY_MONTH = re.compile(
    rf"(?<![\d.:/-])(?P<day>\d{{1,2}})(?:st|nd|rd|th|:?e|\.)?[\s-]*(?:de[nr]?\s+|of\s+)?{_MONTH}"
    r"(?:[\s,-]*(?P<year>(?:19|20)\d\d\b|'\d\d\b))?",
    _FLAGS,
)
_MONTH_DAY = re.compile(
    rf"\b{_MONTH}\s*(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\b(?![:.]\d)(?:,?\s+(?P<year>(?:19|20)\d\d)\b)?", _FLAGS
)
_TODAY = re.compile(r"\b(?:today|i ?dag|tänään|heute)\b", _FLAGS)
_YESTERDAY = re.compile(r"\b(?:yesterday|i ?går|i gaar|eilen|gestern)\b", _FLAGS)
_WEEKDAY = re.compile(r"\b(?:" + "|".join(f"({names})" for names in _WEEKDAYS) + r")\b", _FLAGS)
_RELATIVE = re.compile(
    rf"\b{_AGO}\s*(?:ago|sedan|sidan|siden|sitten)\b|(?:\b(?:för|for|vor)\s+)(?P<count2>\d{{1,4}}|"
    rf"{_NUMBER_WORD})\s*" + rf"(?:{_UNIT.replace('(?P<', '(?P<x')})\b",
    _FLAGS,
)
_BARE_AGO = re.compile(rf"\s*(?P<count>\d{{1,4}})\s*(?:{_UNIT})\.?\s*", _FLAGS)
_JUST_NOW = re.compile(
    r"\b(?:just now|moments? ago|just nu|nyss|akkurat nå|nettopp|lige nu|juuri nyt|gerade eben)\b", _FLAGS
)
_EPOCH = re.compile(r"\s*(\d{10}|\d{13})(?:\.\d+)?\s*")
_NEAR = 24
"""So many characters may stand between a date and its time."""


_MONTH_NAMES = tuple(re.compile(names) for names in _MONTHS)


def _month_number(word: str) -> int:
    low = word.lower()
    return next(n for n, names in enumerate(_MONTH_NAMES, 1) if names.fullmatch(low))


def _full_year(text: str | None) -> int | None:
    if not text:
        return None
    digits = text.lstrip("'")
    return int(digits) if len(digits) == 4 else 2000 + int(digits)


def _zone_of(name: str, fallback: tzinfo) -> tzinfo:
    named = {"Z": 0, "UTC": 0, "GMT": 0, "CET": 60, "CEST": 120, "EET": 120, "EEST": 180}
    if not name:
        return fallback
    if name.upper() in named:
        return timezone(timedelta(minutes=named[name.upper()]))
    digits = re.sub(r"\D", "", name)
    minutes = int(digits[:2]) * 60 + int(digits[2:4])
    return (
        timezone(timedelta(minutes=-minutes if "-" in name else minutes)) if minutes < 24 * 60 else fallback
    )


def _clock(match: re.Match[str] | None, zone: tzinfo) -> tuple[time, tzinfo]:
    if match is None:
        return time(0, 0), zone
    hour, half = int(match["hour"]), (match["half"] or "").lower()
    if half and hour <= 12:
        hour = hour % 12 + (12 if half.startswith("p") else 0)
    return time(hour, int(match["minute"] or 0), int(match["second"] or 0)), _zone_of(
        match["zone"] or "", zone
    )


def _time_near(text: str, start: int, end: int) -> re.Match[str] | None:
    """The time that belongs to a date standing at text[start:end]: after it, else before it."""
    for pattern in (_TIME, _SHORT_TIME):
        after = pattern.search(text, end, min(len(text), end + _NEAR + 14))
        if after and after.start() - end <= _NEAR:
            return after
        before = list(pattern.finditer(text, max(0, start - _NEAR), start))
        if before:
            return before[-1]
    return None


def _build(
    text: str, span: tuple[int, int], day: date | None, reckoning: Reckoning, *, from_today: bool = False
) -> FoundDate | None:
    if day is None:
        return None
    near = _time_near(text, *span)
    clock, zone = _clock(near, reckoning.zone)
    try:
        at = datetime.combine(day, clock, zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    start, end = (min(span[0], near.start()), max(span[1], near.end())) if near else span
    # "Yesterday 14:02" names the same instant tomorrow, when the page writes the date instead; "yesterday" alone does not.
    return FoundDate(
        at=at, start=start, end=end, relative=from_today and near is None, has_time=near is not None
    )


def _day(year: int | None, month: int, day: int, reckoning: Reckoning) -> date | None:
    """A calendar day; without a year the latest such day that is not in the future."""
    today = reckoning.now.astimezone(reckoning.zone).date()
    try:
        if year is not None:
            return date(year, month, day)
        guess = date(today.year, month, day)
        return guess if guess <= today + timedelta(days=1) else date(today.year - 1, month, day)
    except ValueError:
        return None


def _iso(text: str, reckoning: Reckoning) -> FoundDate | None:
    found = _ISO.search(text)
    if not found:
        return None
    day = _day(int(found["year"]), int(found["m"]), int(found["day"]), reckoning)
    return _build(text, found.span(), day, reckoning)


def _numeric(text: str, reckoning: Reckoning) -> FoundDate | None:
    found = _NUMERIC.search(text)
    if not found:
        return None
    a, b = int(found["a"]), int(found["b"])
    month_first = (reckoning.month_first and found["sep"] != "." and a <= 12) or b > 12
    day = _day(_full_year(found["year"]), a if month_first else b, b if month_first else a, reckoning)
    return _build(text, found.span(), day, reckoning)


def _named(pattern: re.Pattern[str]) -> Callable[[str, Reckoning], FoundDate | None]:
    def read(text: str, reckoning: Reckoning) -> FoundDate | None:
        found = pattern.search(text)
        if not found:
            return None
        day = _day(_full_year(found["year"]), _month_number(found["month"]), int(found["day"]), reckoning)
        return _build(text, found.span(), day, reckoning)

    return read


def _today(text: str, reckoning: Reckoning) -> FoundDate | None:
    today = reckoning.now.astimezone(reckoning.zone).date()
    for pattern, back in ((_TODAY, 0), (_YESTERDAY, 1)):
        found = pattern.search(text)
        if found:
            return _build(text, found.span(), today - timedelta(days=back), reckoning, from_today=True)
    found = _WEEKDAY.search(text)
    if found and found.lastindex and _time_near(text, *found.span()):
        back = (today.weekday() - (found.lastindex - 1)) % 7
        return _build(text, found.span(), today - timedelta(days=back), reckoning, from_today=True)
    return None


_NUMBER_NAMES = tuple((n, re.compile(names)) for n, names in _NUMBERS.items())


def _count(word: str) -> int:
    low = word.lower()
    return int(low) if low.isdecimal() else next(n for n, names in _NUMBER_NAMES if names.fullmatch(low))


def _ago(text: str, reckoning: Reckoning) -> FoundDate | None:
    just_now = _JUST_NOW.search(text)
    if just_now:
        return FoundDate(at=reckoning.now, start=just_now.start(), end=just_now.end(), relative=True)
    found = _RELATIVE.search(text) or _BARE_AGO.fullmatch(text)
    if not found:
        return None
    groups = {name.removeprefix("x"): value for name, value in found.groupdict().items() if value}
    count = groups.get("count") or groups.get("count2") or "1"
    days = next(_DAYS[unit] for unit in _UNITS if unit in groups) * _count(count)
    try:
        at = reckoning.now - timedelta(days=days)
    except OverflowError:
        return None
    return FoundDate(at=at, start=found.start(), end=found.end(), relative=True)


_MAY_TELL = re.compile(
    r"\d|just|nyss|nett|akkurat|lige|juuri|gerade|i ?[dg]|eilen|heute|yester|today|tänään|an?\b|en\b", _FLAGS
)
_READERS = (_iso, _numeric, _named(_DAY_MONTH), _named(_MONTH_DAY), _ago, _today)


def find_date(text: str, reckoning: Reckoning) -> FoundDate | None:
    """The first date in a short text, or None. Reads at most 400 characters. Never raises."""
    text = " ".join(text[:400].split())
    return _find_date(text, reckoning) if text and _MAY_TELL.search(text) else None


@lru_cache(maxsize=4096)
def _find_date(text: str, reckoning: Reckoning) -> FoundDate | None:
    for read in _READERS:
        found = read(text, reckoning)
        if found:
            return found
    return None


def parse_attribute(value: str, reckoning: Reckoning) -> FoundDate | None:
    """A date in an attribute made for machines (datetime, content, data-time, title): ISO, RFC 2822, epoch, else as written."""
    epoch = _EPOCH.fullmatch(value)
    if epoch:
        digits = epoch[1]
        at = datetime.fromtimestamp(int(digits[:10]), UTC)
        return FoundDate(at=at, start=0, end=len(value), has_time=True)
    try:
        at = datetime.fromisoformat(value.strip())
    except ValueError:
        return _rfc(value) or find_date(value, reckoning)
    if at.tzinfo is None:
        at = at.replace(tzinfo=reckoning.zone)
    return _in_utc(at, len(value), has_time=len(value.strip()) > 10)


def _rfc(value: str) -> FoundDate | None:
    if not re.match(r"\s*(?:[A-Za-z]{3},\s*)?\d{1,2}\s+[A-Za-z]{3}\s+\d{4}\s+\d\d:\d\d", value):
        return None
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError):
        return None
    return _in_utc(at, len(value), has_time=True) if at.tzinfo else None


def _in_utc(at: datetime, length: int, *, has_time: bool) -> FoundDate | None:
    try:
        return FoundDate(at=at.astimezone(UTC), start=0, end=length, has_time=has_time)
    except (OverflowError, ValueError):
        return None


def is_month_first(text: str, language: str) -> bool:
    """Whether a whole page writes 01/12/2026 for 12 January: a number above 12 settles it, else the page's language."""
    slashed = [(int(m["a"]), int(m["b"])) for m in _NUMERIC.finditer(text[:200_000]) if m["sep"] in "/-"]
    if any(a > 12 for a, _ in slashed):
        return False
    if any(b > 12 for _, b in slashed):
        return True
    american = language.lower().replace("_", "-") in {"en-us", "en"} and re.search(
        r"\d\s?[ap]m\b", text[:200_000], _FLAGS
    )
    return bool(slashed and american)
