"""What Slack accepts as a message, as far as we use it, for the mock: a payload → Slack's error code, or "".
Pure.

Stricter than Slack where a message could harm: mentions, broadcasts and links in mrkdwn are refused, in the
fallback too. Source of the sizes: https://docs.slack.dev/reference/block-kit/blocks and chat.postMessage.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

MAX_TEXT, MAX_BLOCKS, MAX_BLOCKS_TEXT = 40_000, 50, 13_000
MAX_HEADER, MAX_SECTION, MAX_FIELD, MAX_FIELDS, MAX_CONTEXT = 150, 3_000, 2_000, 10, 10
MAX_BUTTON, MAX_VALUE, MAX_ID, MAX_URL, MAX_ACTIONS = 75, 2_000, 255, 3_000, 25

INVALID, TOO_LONG, NO_TEXT, FORBIDDEN = (
    "invalid_blocks",
    "msg_blocks_too_long",
    "no_text",
    "mock_forbids_control",
)
_CONTROL = re.compile(r"<(?!https?://)")
_INLINE = {"text", "link", "emoji"}
_CONTAINERS = {"rich_text_section", "rich_text_quote", "rich_text_preformatted"}

Table = Mapping[str, Any]


def problem(payload: Table) -> str:
    """The error with which chat.postMessage or chat.update answers this payload; "" when it is accepted."""
    text, blocks = payload.get("text") or "", payload.get("blocks") or []
    if not isinstance(text, str) or not isinstance(blocks, list):
        return "invalid_arguments"
    if not text and not blocks:
        return NO_TEXT
    if len(text) > MAX_TEXT:
        return "msg_too_long"
    if _CONTROL.search(text) or payload.get("link_names"):
        return FORBIDDEN
    return _blocks(blocks)


def _blocks(blocks: list[Any]) -> str:
    if len(blocks) > MAX_BLOCKS or not all(isinstance(block, dict) for block in blocks):
        return INVALID
    ids = [block["block_id"] for block in blocks if "block_id" in block]
    if len(ids) != len(set(ids)) or any(not 0 < len(str(name)) <= MAX_ID for name in ids):
        return INVALID
    if any(_CONTROL.search(text) for block in blocks for text in mrkdwn_texts(block)):
        return FORBIDDEN
    if not all(_KINDS.get(str(block.get("type")), _never)(block) for block in blocks):
        return INVALID
    return TOO_LONG if sum(len(text) for block in blocks for text in texts(block)) > MAX_BLOCKS_TEXT else ""


def texts(value: Any) -> Iterator[str]:
    """Every text in a block."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key == "text" and isinstance(inner, str):
                yield inner
            else:
                yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)


def mrkdwn_texts(value: Any) -> Iterator[str]:
    """Every text in a block that Slack reads as markup."""
    if isinstance(value, Mapping):
        if value.get("type") == "mrkdwn":
            yield str(value.get("text", ""))
        for inner in value.values():
            yield from mrkdwn_texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from mrkdwn_texts(inner)


def _text_object(value: Any, limit: int, *, kinds: tuple[str, ...] = ("plain_text", "mrkdwn")) -> bool:
    return (
        isinstance(value, Mapping)
        and value.get("type") in kinds
        and isinstance(value.get("text"), str)
        and 0 < len(value["text"]) <= limit
    )


def _header(block: Table) -> bool:
    return _text_object(block.get("text"), MAX_HEADER, kinds=("plain_text",))


def _section(block: Table) -> bool:
    fields = block.get("fields") or []
    if not block.get("text") and not fields:
        return False
    good_text = "text" not in block or _text_object(block["text"], MAX_SECTION)
    return good_text and len(fields) <= MAX_FIELDS and all(_text_object(item, MAX_FIELD) for item in fields)


def _context(block: Table) -> bool:
    elements = block.get("elements") or []
    return 0 < len(elements) <= MAX_CONTEXT and all(_text_object(item, MAX_SECTION) for item in elements)


def _actions(block: Table) -> bool:
    elements = block.get("elements") or []
    return 0 < len(elements) <= MAX_ACTIONS and all(_button(item) for item in elements)


def _button(button: Any) -> bool:
    return (
        isinstance(button, Mapping)
        and button.get("type") == "button"
        and _text_object(button.get("text"), MAX_BUTTON, kinds=("plain_text",))
        and len(str(button.get("value", ""))) <= MAX_VALUE
        and 0 < len(str(button.get("action_id", ""))) <= MAX_ID
        and ("url" not in button or _address(button["url"]))
    )


def _rich_text(block: Table) -> bool:
    elements = block.get("elements")
    return isinstance(elements, list) and bool(elements) and all(_container(item) for item in elements)


def _container(element: Any) -> bool:
    if not isinstance(element, Mapping):
        return False
    inner = element.get("elements")
    if not isinstance(inner, list) or not inner:
        return False
    if element.get("type") == "rich_text_list":
        return element.get("style") in ("bullet", "ordered") and all(_container(item) for item in inner)
    return element.get("type") in _CONTAINERS and all(_inline(item) for item in inner)


def _inline(element: Any) -> bool:
    """Slack knows more: users, groups and broadcasts, which would notify people."""
    if not isinstance(element, Mapping) or element.get("type") not in _INLINE:
        return False
    if element["type"] == "link":
        return _address(element.get("url"))
    return element["type"] == "emoji" or bool(element.get("text"))


def _address(url: Any) -> bool:
    return isinstance(url, str) and len(url) <= MAX_URL and re.match(r"https?://[^\s<>|]+$", url) is not None


def _divider(_block: Table) -> bool:
    return True


def _never(_block: Table) -> bool:
    return False


_KINDS: Mapping[str, Callable[[Table], bool]] = {
    "header": _header,
    "section": _section,
    "context": _context,
    "actions": _actions,
    "rich_text": _rich_text,
    "divider": _divider,
}
