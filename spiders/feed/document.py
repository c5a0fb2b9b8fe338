"""What a feed's address answered, as text that is safe to parse. Pure.

Everything that makes a parser work for ever or fetch something else is refused here, before one sees it.
"""

import codecs
import re
from collections.abc import Iterator
from urllib.parse import urljoin

from lxml import etree

from listener.errors import SourceError

MAX_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 100
MAX_TAGS = 50_000
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_BARE = (
    (b"<\0?\0", "utf-16-le"),
    (b"\0<\0?", "utf-16-be"),
    (b"<\0r\0", "utf-16-le"),
    (b"\0<\0r", "utf-16-be"),
)
_USUAL = re.compile(
    r"(?i)(utf-?8|us-ascii|iso-?8859-?\d+|latin-?\d|windows-?\d+|cp-?\d+|koi8-?[ru]"
    r"|mac-?roman|gbk?|gb2312|gb18030|big5|euc-?(jp|kr)|shift_?jis)"
)
"""Encodings in which text is written and that leave ASCII as it is. UTF-16 and UTF-32 show themselves by their
first bytes; others that Python knows (UTF-7, escapes) could hide markup from these checks."""
_DECLARED = re.compile(rb"""<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w.:-]{1,40})["']""")
_CHARSET = re.compile(r"""charset\s*=\s*["']?([\w.:-]{1,40})""", re.IGNORECASE)
_XML_DECLARATION = re.compile(r"^\s*<\?xml[^>]{0,500}\?>")
_SECTIONS = (("<![CDATA[", "]]>"), ("<!--", "-->"))
_TAG = re.compile(r"<(/?)[A-Za-z_][^<>]*?(/?)>")


def text_of_feed(body: bytes, content_type: str) -> str:
    """The feed as text without an encoding declaration. Raises SourceError when it is too large, or made to hurt."""
    if len(body) > MAX_BYTES:
        size, limit = len(body) / 2**20, MAX_BYTES // 2**20
        raise SourceError(f"the feed is {size:.1f} MiB, larger than {limit} MiB; not read")
    text = _decode(body, content_type).replace("\0", "").lstrip("\ufeff \t\r\n")
    if _defines_entities(text):
        raise SourceError(
            "the feed defines its own entities (<!DOCTYPE … <!ENTITY); not read", permanent=True
        )
    if text.startswith("<"):
        _check_nesting(text)
        return _XML_DECLARATION.sub("", text).lstrip()
    return text


def _decode(body: bytes, content_type: str) -> str:
    """By byte order mark, the document's own word, the server's word, as UTF-8, as Windows-1252: the first that fits."""
    for mark, encoding in (*_BOMS, *_BARE):
        if body.startswith(mark):
            return body.decode(encoding, "replace")
    declared = _DECLARED.search(body[:1000])
    served = _CHARSET.search(content_type)
    named = [declared[1].decode("ascii") if declared else "", served[1] if served else ""]
    for encoding in (*named, "utf-8"):
        if _USUAL.fullmatch(encoding):
            try:
                return body.decode(encoding)
            except (UnicodeDecodeError, LookupError):
                continue
    # A feed that says UTF-8 and has one broken character is still UTF-8.
    return body.decode("utf-8" if _mostly_utf8(body) else "cp1252", "replace")


def _mostly_utf8(body: bytes) -> bool:
    broken = body.decode("utf-8", "replace").count("\ufffd")
    return broken * 20 < sum(byte >= 0x80 for byte in body)


def _defines_entities(text: str) -> bool:
    lower = text.lower()
    doctype = lower.find("<!doctype")
    return doctype >= 0 and lower.find("<!entity", doctype) >= 0


def _check_nesting(text: str) -> None:
    """Parsers need quadratic time, or their stack, for what nobody writes by hand."""
    markup = "".join(_markup(text))
    tags = markup.count("<")
    depth = deepest = 0
    for tag in _TAG.finditer(markup) if tags <= MAX_TAGS else ():
        depth += -1 if tag[1] else 0 if tag[2] else 1
        deepest = max(deepest, depth)
    if tags > MAX_TAGS or deepest > MAX_DEPTH:
        raise SourceError(
            f"the feed has {tags} tags, nested {deepest} deep; want at most {MAX_TAGS} and {MAX_DEPTH}; not read",
            permanent=True,
        )


def _markup(text: str) -> Iterator[str]:
    """The text without CDATA sections and comments, in pieces. Linear, also when they do not end."""
    position = 0
    while (start := text.find("<!", position)) >= 0:
        closing = next((end for mark, end in _SECTIONS if text.startswith(mark, start)), "")
        if not closing:
            yield text[position : start + 2]
            position = start + 2
            continue
        yield text[position:start]
        end = text.find(closing, start)
        if end < 0:
            return
        position = end + len(closing)
    yield text[position:]


def not_a_feed(body: bytes, content_type: str) -> str:
    """Why something is no feed, with its first words."""
    beginning = " ".join(body[:200].decode("utf-8", "replace").split())[:60]
    kind = content_type.partition(";")[0].strip() or "something without a type"
    return f"not a feed: got {kind} beginning {beginning!r}; want RSS, Atom or JSON Feed"


def linked_feed(html: str, address: str) -> str:
    """The first feed that a page links to as its alternate; "" when there is none."""
    parser = etree.HTMLParser(no_network=True, encoding="utf-8")
    try:
        page = etree.fromstring(html.encode("utf-8", "replace"), parser)
    except etree.XMLSyntaxError:
        return ""
    if page is None:
        return ""
    for link in page.iter("link"):
        kind = (link.get("type") or "").lower()
        alternate = "alternate" in (link.get("rel") or "").lower().split()
        if alternate and kind in {"application/rss+xml", "application/atom+xml", "application/feed+json"}:
            return urljoin(address, str(link.get("href") or "").strip())
    return ""
