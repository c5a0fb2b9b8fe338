"""An element of a page → the words that its author wrote: quotes of others, signatures, buttons and hidden parts left out.

Pure; walks the tree without recursion, so nesting cannot overflow the stack.
"""

import re
from collections.abc import Collection
from itertools import islice

from spiders.forum.tree import Element, ancestors, length, names, plain

_DROPPED = frozenset(
    [
        "script",
        "style",
        "noscript",
        "template",
        "svg",
        "button",
        "select",
        "input",
        "textarea",
        "iframe",
        "object",
        "embed",
        "canvas",
        "nav",
        "video",
        "audio",
        "map",
        "option",
        "label",
        "head",
    ]
)
_BLOCKS = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "dd",
        "details",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "li",
        "main",
        "ol",
        "p",
        "pre",
        "section",
        "summary",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "ul",
        "center",
    ]
)
_QUOTE = re.compile(
    r"(?:^|[\s_-])(?:quote|quoted|quotebox|quoteheader|quotefooter|quotecontent|quotetitle|blockquote|"
    r"bbcodeblock--quote|"
    r"bbcode_quote|bbc_standard_quote|mycode_quote|citat|sitat|lainaus|cite_bbcode|quoteauthor|"
    r"ipsquote\w*)(?=$|[\s_-])",
    re.IGNORECASE,
)
_SIGNATURE = re.compile(
    r"(?:^|[\s_-])(?:signatures?|postsignature|post_sig|user-?sig|sig|sig-?content|moderatorbar)(?=$|[\s_-])",
    re.IGNORECASE,
)
_HIDDEN = re.compile(
    r"(?:^|\s)(?:hidden|sr-only|visually-hidden|visuallyhidden|screen-reader-text|screen-reader|"
    r"u-hidden|d-none|noprint)(?=$|\s)",
    re.IGNORECASE,
)
_CHROME = re.compile(
    r"(?:^|[\s_-])(?:actions?|buttons?|toolbar|tools|controls?|share|sharing|social|likes?|votes?|"
    r"voting|score|rating|reactions?|avatar|"
    r"userpic|gravatar|breadcrumbs?|pagination|pager|permalink|report|edited|lastedited|edited_post|"
    r"last-?edit|notice|menu|"
    r"post-?number|postcount|attribution|thanks?|comment-reply|replylink|reply-?link|reply-?button|"
    r"quote-button|upvotes?)(?=$|[\s_-])",
    re.IGNORECASE,
)
_CHROME_CHARS = 90
"""What a button bar may hold; longer text in a block with such a name is somebody's words."""
_BUTTON_WORDS = re.compile(
    r"\W*(?:\(?\d{0,4}\)?\s*)?(?:reply|quote|multi-?quote|like|likes|unlike|dislike|share|report|edit|"
    r"delete|permalink|permanent link|link|up|top|"
    r"upvote|downvote|thank(?:s| you)?|flag|save|bookmark|pm|email|www|profile|find|context|parent|"
    r"unvote|hide|follow|ignore|more|"
    r"svara|citera|gilla|dela|anmäl|rapportera|redigera|ta bort|länk|upp|tacka?|spara|dölj|"
    r"svar|siter|lik|liker|del|rapporter|rediger|slett|lenke|opp|citer|citér|anmeld|slet|synes godt "
    r"om|link til indlæg|"
    r"vastaa|lainaa|tykkää|jaa|ilmoita|muokkaa|poista|linkki|antworten|zitieren|zitat|gefällt mir|"
    r"teilen|melden|bearbeiten)"
    r"(?:\s*\(?\d{1,5}\)?)?\W*",
    re.IGNORECASE,
)
_EMOJI_ALT = re.compile(r"[^\w\s<>]{1,12}|[:;=8xX]['’-]?[)(DPpOo/|*\]\[]{1,2}|:\w{1,30}:")
_EMOJI_CLASS = re.compile(r"emoji|emoticon|smil(?:ey|ie)", re.IGNORECASE)


def is_hidden(element: Element) -> bool:
    style = (element.get("style") or "").replace(" ", "").lower()
    return (
        element.get("hidden") is not None
        or element.get("aria-hidden") == "true"
        or "display:none" in style
        or bool(_HIDDEN.search(element.get("class") or ""))
    )


def is_quote(element: Element) -> bool:
    """Somebody else's words. A code block is not, whatever its class says."""
    if element.tag in {"pre", "code", "a"}:
        return False
    classes = element.get("class") or ""
    if element.tag == "blockquote":
        return not re.search(r"postcontent|post-?body|messagetext", classes, re.IGNORECASE)
    return bool(_QUOTE.search(classes))


def _is_chrome(element: Element) -> bool:
    if _SIGNATURE.search(names(element)) and element.tag != "body":
        return True
    if _CHROME.search(element.get("class") or "") and length(element) <= _CHROME_CHARS:
        return True
    return is_button(element)


def is_button(element: Element) -> bool:
    """Something to click that acts on a post: Reply, Gilla, Siter …"""
    clickable = element.tag in {"a", "button"} or element.get("role") == "button"
    return clickable and length(element) < 40 and bool(_BUTTON_WORDS.fullmatch(plain(element)))


def _skipped(element: Element, without: Collection[Element], quotes: bool) -> bool:
    if not isinstance(element.tag, str) or element.tag in _DROPPED or element in without:
        return True
    return is_hidden(element) or _is_chrome(element) or (not quotes and is_quote(element))


def _image(element: Element) -> str:
    alt = (element.get("alt") or "").strip()
    marked = _EMOJI_CLASS.search(f"{element.get('class') or ''} {element.get('src') or ''}")
    return alt if alt and (marked or _EMOJI_ALT.fullmatch(alt)) and len(alt) <= 40 else ""


def _collect(root: Element, without: Collection[Element], quotes: bool) -> str:
    parts: list[str] = []
    stack: list[Element | str] = [root]
    while stack:
        node = stack.pop()
        if isinstance(node, str):
            parts.append(node)
        elif node is not root and _skipped(node, without, quotes):
            continue
        elif node.tag == "br":
            parts.append("\n")
        elif node.tag == "img":
            parts.append(_image(node))
        else:
            _push(
                node,
                stack,
                in_pre=node.tag == "pre" or any(a.tag == "pre" for a in islice(ancestors(node), 4)),
            )
    return "".join(parts)


def _push(node: Element, stack: list[Element | str], *, in_pre: bool) -> None:
    """Put a node's content on the stack, last part first. Line breaks of the source are spaces, except in <pre>."""
    edge = "\n\n" if node.tag in {"p", "blockquote", "pre"} else "\n" if node.tag in _BLOCKS else ""
    content: list[Element | str] = [edge, _flow(node.text, in_pre)]
    for child in node:
        content += [child, _flow(child.tail, in_pre)]
    content.append(" \n" if node.tag in {"td", "th"} else edge)
    stack.extend(reversed(content))


def _flow(text: str | None, in_pre: bool) -> str:
    if not text:
        return ""
    return text if in_pre else re.sub(r"\s+", " ", text)


def text_of(root: Element, without: Collection[Element] = frozenset()) -> str:
    """The author's own words in `root`, paragraphs apart; `without`: elements inside it that are not text (author, date).
    A post that consists of nothing but a quote keeps the quote."""
    own = tidy(_collect(root, without, quotes=False))
    return own or tidy(_collect(root, without, quotes=True))


def tidy(text: str) -> str:
    lines = [re.sub(r"[^\S\n]+", " ", line).strip() for line in text.split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
