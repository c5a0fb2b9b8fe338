"""Addresses of forum pages: one spelling for each, which thread and which page of it they mean, and which lead nowhere useful.

Pure. A thread's key is its address without page, session and wording parts: it stays when a title is edited.
"""

import re
from functools import lru_cache
from urllib.parse import parse_qsl, quote, urlencode, urljoin, urlsplit, urlunsplit

_NOISE = re.compile(
    r"(?:sid|s|phpsessid|sessionid|session_id|session|sort|sortby|order|orderby|order_by|dir|"
    r"direction|asc|desc|sk|sd|st|"
    r"utm_\w+|fbclid|gclid|highlight|hilit|ref|source|share|replytocom|print|view|styleid|style|theme|"
    r"lang|_|hash|nocache|"
    r"unapproved|moderation-hash|daysprune|display|tab|filter|prefix_id)",
    re.IGNORECASE,
)
_PAGE_KEYS = re.compile(
    r"(?:page|paged|pagenumber|pageno|page_no|pg|pagina|sida|side|sivu|seite|cpage|whichpage|"
    r"comments?page|p)",
    re.IGNORECASE,
)
_OFFSET_KEYS = re.compile(r"(?:start|offset|skip|from)", re.IGNORECASE)
_PAGE_PATHS = (
    re.compile(r"/(?P<kind>comment-page-)(?P<n>\d{1,6})(?=/|$)", re.IGNORECASE),
    re.compile(r"/(?:page|sida|side|sivu|seite|p)[-/]?(?P<n>\d{1,6})(?:\.html?)?(?=/|$)", re.IGNORECASE),
    re.compile(r"(?<=thread-)\d+(?P<whole>-(?P<n>\d{1,5})-\d+)(?=\.html)", re.IGNORECASE),
    re.compile(r"-page-?(?P<n>\d{1,6})(?=\.html?$|/?$)", re.IGNORECASE),
)
_THREAD_WORDS = frozenset(
    [
        "t",
        "d",
        "topic",
        "topics",
        "thread",
        "threads",
        "discussion",
        "discussions",
        "showthread",
        "viewtopic",
        "tema",
        "trad",
        "tråd",
        "traad",
        "emne",
        "aihe",
        "question",
        "questions",
    ]
)
_FORUM_WORDS = re.compile(
    r"(?:^|[/?&=.;_-])(?:viewforum|forumdisplay|forums?|boards?|c|category|categories|kategori\w*|f|"
    r"fora|board|alue|underforum|t|tags)(?=[/.?&=_-]|$)",
    re.IGNORECASE,
)
_TOPIC_WORDS = re.compile(
    r"(?:^|[/?&=.;_-])(?:viewtopic|showthread|showtopic|threads?|topics?|t|d|discussions?|tema|"
    r"tr[aå]d|tr%c3%a5d|emne|aihe|questions?|"
    r"item|comments|post|inlagg|innlegg|indlaeg|diskussion\w*)(?=[/.?&=_-]|$)",
    re.IGNORECASE,
)
_TRAP = re.compile(
    r"(?:^|[/?&=.;_-])(?:login|logga-?in|logg-?inn|log-?ind|signin|sign-?up|logout|register|"
    r"registrera|join|lost-?password|password|"
    r"ucp|mcp|memberlist|members?|users?|u|user|profiles?|profil|author|search|sok|s%c3%b6k|søk|haku|"
    r"faq|help|rules|privacy|terms|"
    r"cookies?|contact|kontakt|about|report|reply|replyto|quote|newreply|newthread|newtopic|new-topic|"
    r"posting|post-thread|compose|"
    r"edit|delete|vote|like|react|bookmark|subscribe|unsubscribe|watch|follow|share|print|printthread|"
    r"printpage|attachments?|"
    r"download|file|dlattach|avatar|calendar|kalender|tag|tags|stats|statistics|whats-new|new-?posts?|"
    r"unread|recent-?posts?|"
    r"active-?topics|markread|mark_read|mark-read|misc|private|pm|conversations?|online|who|rss|feed|"
    r"atom|sitemap|wp-admin|wp-login|"
    r"wp-json|wp-content|xmlrpc|cdn-cgi|badges?|groups?|leaders|language|goto|lastpost|last|"
    r"getlastpost|getnewpost|jumpto|"
    r"sendtopic|emailtopic|stats|archive\.php)(?=[/.?&=;_-]|$)",
    re.IGNORECASE,
)
_FILE = re.compile(
    r"\.(?:jpe?g|png|gif|webp|svg|ico|css|js|mjs|json|xml|rss|atom|pdf|zip|gz|rar|7z|mp[34]|avi|mov|"
    r"webm|woff2?|ttf|docx?|xlsx?|txt|eml)$",
    re.IGNORECASE,
)
_CALENDAR = re.compile(r"^/(?:\d{4}/\d{1,2}(?:/\d{1,2})?|\d{4}|\d{4}-\d\d(?:-\d\d)?)/?$")
MAX_URL = 1_500
MAX_REMEMBERED = 4_096
"""The same addresses stand on page after page."""


@lru_cache(maxsize=MAX_REMEMBERED)
def absolute(base: str, href: str) -> str:
    """An address as written in a page → an absolute http(s) address without fragment, "" when it is none."""
    try:
        url = urljoin(base, href.strip())
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
        port = parts.port
    except ValueError:
        return ""
    if parts.scheme not in {"http", "https"} or not host or len(url) > MAX_URL:
        return ""
    host = f"[{host}]" if ":" in host else host
    netloc = host if port in {None, 80 if parts.scheme == "http" else 443} else f"{host}:{port}"
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    return urlunsplit((parts.scheme, netloc, path, parts.query, ""))


@lru_cache(maxsize=MAX_REMEMBERED)
def canonical(url: str) -> str:
    """The one spelling of an address: no fragment, session, sorting or tracking parts; page 1 is the bare address."""
    url = absolute(url, url)
    if not url:
        return ""
    parts = urlsplit(url)
    path = re.sub(r";(?:jsessionid|phpsessid|sid)=[^/?]*", "", parts.path, flags=re.IGNORECASE)
    query = _clean_query(parts.query, path)
    return urlunsplit((parts.scheme, parts.netloc, path, query, ""))


def _pairs(query: str) -> list[tuple[str, str]]:
    return parse_qsl(query.replace(";", "&"), keep_blank_values=True)[:30]


def _clean_query(query: str, path: str) -> str:
    if "=" not in query:
        return query  # index.php?threads/title.12/page-2
    kept = [(k, v) for k, v in _pairs(query) if not _NOISE.fullmatch(k) and not _is_first_page(k, v, path)]
    if any(k == "t" for k, _ in kept):
        kept = [(k, v) for k, v in kept if k != "f"]
    return urlencode(sorted(kept), safe="/:,.@")


def _is_first_page(key: str, value: str, path: str) -> bool:
    if _OFFSET_KEYS.fullmatch(key):
        return value == "0"
    first = (
        "0" if re.match(r"/(?:c|latest|top|tag)(?:/|$)", path) else "1"
    )  # Discourse counts the pages of its lists from 0
    return bool(_PAGE_KEYS.fullmatch(key)) and value == first and not _is_post_key(key, path)


def _is_post_key(key: str, path: str) -> bool:
    """`p` means a page in one engine and a post in others (phpBB, WordPress)."""
    return key.lower() == "p" and bool(re.search(r"viewtopic|showthread|showpost|index\.php|^/?$", path))


@lru_cache(maxsize=MAX_REMEMBERED)
def page_number(url: str) -> int:
    """Which page of its list or thread an address means, from 1. Addresses that count posts (`start=20`) give 1 + that offset."""
    parts = urlsplit(url)
    for key, value in _pairs(parts.query):
        if value.isdecimal() and len(value) < 8:
            if _PAGE_KEYS.fullmatch(key) and not _is_post_key(key, parts.path):
                return max(1, int(value))
            if _OFFSET_KEYS.fullmatch(key):
                return int(value) + 1
            continue
        smf = re.fullmatch(r"\d+\.(\d{1,7})", value)
        if key in {"topic", "board"} and smf:
            return int(smf[1]) + 1
    return _path_page(parts.path if "=" in parts.query else f"{parts.path}/{parts.query}")


def _path_page(path: str) -> int:
    for pattern in _PAGE_PATHS:
        found = pattern.search(path)
        if found:
            return max(1, int(found["n"]))
    segments = [s for s in path.split("/") if s]
    at = _thread_word(segments)
    rest = segments[at + 1 :] if at is not None else []
    if len(rest) == 3 and all(s.isdecimal() for s in rest[1:]) and len(rest[2]) < 7:
        return max(1, int(rest[2]))  # /t/title/12/2/
    return 1


def _thread_word(segments: list[str]) -> int | None:
    return next(
        (i for i, s in enumerate(segments[:-1]) if s.lower().removesuffix(".php") in _THREAD_WORDS), None
    )


def _without_page(path: str) -> str:
    for pattern in _PAGE_PATHS:
        found = pattern.search(path)
        if found and "whole" in found.groupdict():
            return path[: found.start("whole")] + path[found.end("whole") :]
        if found:
            return path[: found.start()] + path[found.end() :]
    return path


@lru_cache(maxsize=MAX_REMEMBERED)
def thread_key(url: str) -> str:
    """What names a thread whatever its page, session or wording: a path with query, without host. Stable over title edits."""
    parts = urlsplit(canonical(url))
    if parts.query and "=" not in parts.query:
        return f"{parts.path}?{_path_key('/' + _without_page('/' + parts.query).strip('/'))}"
    pairs = [(k, v) for k, v in _pairs(parts.query) if not _is_page_pair(k, parts.path)]
    ids = [
        (k, v)
        for k, v in pairs
        if k.lower() in {"t", "tid", "topic", "thread", "threadid", "showtopic", "id"}
    ]
    path = _path_key(_without_page(parts.path))
    if ids and re.search(r"viewtopic|showthread|index\.php|thread\.php|topic|^/?$", parts.path):
        pairs = ids[:1]
    query = urlencode(
        [
            (k, re.sub(r"^(\d+)\.(?:\d+|msg\d+|new|from\d+)$|^(\d+)-.*$", r"\1\2", v))
            for k, v in sorted(pairs)
        ],
        safe="/:,.@",
    )
    return path + (f"?{query}" if query else "")


def _is_page_pair(key: str, path: str) -> bool:
    if _OFFSET_KEYS.fullmatch(key):
        return True
    return bool(_PAGE_KEYS.fullmatch(key)) and not _is_post_key(key, path)


def _path_key(path: str) -> str:
    segments = [s for s in path.split("/") if s]
    at = _thread_word(segments)
    if at is not None:
        for segment in segments[at + 1 : at + 3]:
            found = re.fullmatch(r"(\d+)(?:[-.].*)?|.*\.(\d+)", segment)
            if found:
                return "/" + "/".join([*segments[: at + 1], found[1] or found[2]])
    return "/" + "/".join(segments)


def first_page(url: str) -> str:
    """The address of the first page of the list or thread that `url` is a page of."""
    parts = urlsplit(canonical(url))
    if page_number(url) == 1:
        return urlunsplit(parts)
    pairs = [
        (k, re.sub(r"^(\d+)\.\d+$", r"\1.0", v))
        for k, v in _pairs(parts.query)
        if not _is_page_pair(k, parts.path)
    ]
    query = (
        urlencode(pairs, safe="/:,.@") if "=" in parts.query else _without_page(f"/{parts.query}").lstrip("/")
    )
    return urlunsplit((parts.scheme, parts.netloc, _without_page(parts.path), query, ""))


def same_host(a: str, b: str) -> bool:
    """`www.` does not make another host."""
    hosts = [(urlsplit(u).hostname or "").removeprefix("www.") for u in (a, b)]
    return hosts[0] == hosts[1] and urlsplit(a).port == urlsplit(b).port


@lru_cache(maxsize=MAX_REMEMBERED)
def is_trap(url: str) -> bool:
    """Whether an address leads to no list and no thread: log-in, profiles, search, printing, replying, calendars, files."""
    parts = urlsplit(url)
    if _FILE.search(parts.path) or _CALENDAR.match(parts.path):
        return True
    if parts.query and (
        re.search(r"(?:^|[&;])(?:p|post|pid|postid|action|do|mode)=", parts.query)
        and not _has_thread_id(parts.query)
    ):
        return "action=" in parts.query or "mode=" in parts.query or parts.path not in {"", "/"}
    shape = re.sub(r"/(?:t|topic|thread|threads|d|discussion)/[^/]+", "/t/x", parts.path, flags=re.IGNORECASE)
    last = shape.rstrip("/").rsplit("/", 1)[-1]
    wordy = last.count("-") > 1 or last.count("_") > 2  # a title may hold any word
    checked = shape.rsplit("/", 1)[0] if wordy else shape
    return bool(_TRAP.search(f"{checked}?{_keys_and_modes(parts.query)}"))


def _has_thread_id(query: str) -> bool:
    return bool(re.search(r"(?:^|[&;])(?:t|tid|topic|thread|threadid|showtopic)=\d", query))


def _keys_and_modes(query: str) -> str:
    if "=" not in query:
        return "/".join(query.split("/")[:1])
    return "&".join(
        f"{k}={v}" if k.lower() in {"action", "do", "mode", "view", "goto"} else k for k, v in _pairs(query)
    )


@lru_cache(maxsize=MAX_REMEMBERED)
def looks_like_topic(url: str) -> bool:
    parts = urlsplit(url)
    return bool(
        _TOPIC_WORDS.search(parts.path + "?" + parts.query)
        or re.match(r"/\d{4}/\d\d/(?:\d\d/)?[^/]+", parts.path)
    )


def looks_like_forum(url: str) -> bool:
    parts = urlsplit(url)
    return bool(_FORUM_WORDS.search(parts.path + "?" + parts.query)) and not looks_like_topic(url)


@lru_cache(maxsize=MAX_REMEMBERED)
def pattern(url: str) -> str:
    """The shape of an address: numbers and wordings taken out, so that the links of one kind look the same."""
    parts = urlsplit(url)
    segments = [_shape(s) for s in parts.path.split("/") if s]
    if segments and "." not in segments[-1] and "9" not in segments[-1] and not parts.query:
        segments[-1] = "…"
    path = "/".join(segments)
    if parts.query and "=" not in parts.query:
        return f"{path}?{'/'.join(_shape(s) for s in parts.query.split('/') if s)}"
    return f"{path}?{'&'.join(sorted({k for k, _ in _pairs(parts.query)}))}"


def _shape(segment: str) -> str:
    if re.fullmatch(r"[a-z]{1,12}(?:\.php|\.html?|\.aspx?)?", segment):
        return segment
    return re.sub(r"\d+", "9", segment) if re.fullmatch(r"[a-z]{0,3}\d+(?:\.\w{2,4})?", segment) else "…"
