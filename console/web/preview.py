"""A Slack message as we show it: Block Kit in, lines of marked text out. Pure.

Only what our messages use is understood; anything else is left out. Nothing here is markup: the template writes every
text escaped. Source: Slack's Block Kit and mrkdwn references, https://docs.slack.dev/reference/block-kit/blocks
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import unescape
from typing import Any

from console.web.links import safe_link


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text with one look. `style`: "", strong, em or code; `link` "" or an http(s) address."""

    text: str
    style: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One paragraph of the message. `kind`: header, text, quote, small, buttons or divider."""

    kind: str
    pieces: tuple[Piece, ...]


_MRKDWN = re.compile(
    r"<(?P<url>https?://[^|>\s]+)(?:\|(?P<label>[^>]*))?>|\*(?P<strong>[^*\n]+)\*|_(?P<em>[^_\n]+)_|`(?P<code>[^`\n]+)`"
)
_STYLES = (("bold", "strong"), ("italic", "em"), ("code", "code"))


def preview(blocks: Sequence[Mapping[str, Any]]) -> list[Line]:
    """The message's lines, top to bottom."""
    return [line for block in blocks for line in _block(block) if line.pieces or line.kind == "divider"]


def _block(block: Mapping[str, Any]) -> Iterable[Line]:
    match block.get("type"):
        case "header":
            yield Line("header", tuple(_object(block.get("text", {}))))
        case "section":
            yield from _lines(block.get("text", {}), "text")
            for part in block.get("fields", ()):
                yield from _lines(part, "text")
        case "context":
            for part in block.get("elements", ()):
                yield from _lines(part, "small")
        case "rich_text":
            yield from _rich(block)
        case "actions":
            labels = (_plain(button.get("text", {})) for button in block.get("elements", ()))
            yield Line("buttons", tuple(Piece(label) for label in labels if label))
        case "divider":
            yield Line("divider", ())


def _lines(part: Mapping[str, Any], kind: str) -> Iterable[Line]:
    """A text object's lines; a line of mrkdwn that starts with > is a quote."""
    for row in str(part.get("text", "")).split("\n"):
        quoted = part.get("type") == "mrkdwn" and re.match(r"(?:>|&gt;) ?", row)
        text = row[quoted.end() :] if quoted else row
        yield Line("quote" if quoted else kind, tuple(_object({**part, "text": text})))


def _object(part: Mapping[str, Any]) -> Iterable[Piece]:
    if part.get("type") != "mrkdwn":
        return [Piece(str(part["text"]))] if part.get("text") else []
    return _mrkdwn(str(part.get("text", "")))


def _plain(part: Mapping[str, Any]) -> str:
    return str(part.get("text", ""))


def _mrkdwn(text: str) -> Iterable[Piece]:
    done = 0
    for found in _MRKDWN.finditer(text):
        if found.start() > done:
            yield Piece(unescape(text[done : found.start()]))
        if url := found["url"]:
            yield Piece(unescape(found["label"] or url), link=safe_link(unescape(url)))
        else:
            style = str(found.lastgroup)
            yield Piece(unescape(found[style]), style)
        done = found.end()
    if done < len(text):
        yield Piece(unescape(text[done:]))


def _rich(block: Mapping[str, Any]) -> Iterable[Line]:
    for part in block.get("elements", ()):
        kind = "quote" if part.get("type") == "rich_text_quote" else "text"
        rows = part.get("elements", ())
        if part.get("type") == "rich_text_list":
            for row in rows:
                yield Line(kind, tuple(_rich_pieces(row.get("elements", ()))))
        else:
            yield Line(kind, tuple(_rich_pieces(rows)))


def _rich_pieces(elements: Iterable[Mapping[str, Any]]) -> Iterable[Piece]:
    for element in elements:
        if element.get("type") == "link":
            url = str(element.get("url", ""))
            yield Piece(str(element.get("text") or url), link=safe_link(url))
        elif element.get("type") == "text":
            given = element.get("style", {})
            style = next((ours for theirs, ours in _STYLES if given.get(theirs)), "")
            yield Piece(str(element.get("text", "")), style)
