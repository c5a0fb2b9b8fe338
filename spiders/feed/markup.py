"""HTML in feeds and API answers → the words in it. Pure."""

from lxml import etree

_SILENT = frozenset({"script", "style", "noscript", "template", "iframe", "object", "svg", "head", "title"})
_PARAGRAPHS = frozenset(
    {"p", "blockquote", "pre", "h1", "h2", "h3", "h4", "h5", "h6", "table", "ul", "ol", "section"}
)
_LINES = frozenset({"br", "li", "div", "tr", "hr", "dt", "dd", "figcaption", "article"})


class _Words:
    """Target of lxml's parser: gathers text, with line breaks where a reader sees them."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._silent = 0

    def start(self, tag: str, attributes: object) -> None:
        if tag in _SILENT:
            self._silent += 1
        self._break(tag)

    def end(self, tag: str) -> None:
        if tag in _SILENT and self._silent:
            self._silent -= 1
        self._break(tag)

    def data(self, text: str) -> None:
        between_lines = text.isspace() and (not self._parts or self._parts[-1].endswith("\n"))
        if not self._silent and not between_lines:
            self._parts.append(text.replace("\n", " "))

    def comment(self, text: str) -> None:
        """Comments are not words."""

    def close(self) -> str:
        return "".join(self._parts)

    def _break(self, tag: str) -> None:
        last = self._parts[-1] if self._parts else "\n\n"
        if tag in _PARAGRAPHS and last != "\n\n":
            self._parts.append("\n\n")
        elif tag in _LINES and not last.endswith("\n"):
            self._parts.append("\n")


def text_of(html: str) -> str:
    """The words of a piece of HTML, entities resolved, scripts and styles left out. Never raises; `clean` in
    `listener.text` tidies the spaces afterwards."""
    parser = etree.HTMLParser(target=_Words(), no_network=True, encoding="utf-8")
    try:
        words: str = etree.fromstring(f"<div>{html}</div>".encode("utf-8", "replace"), parser)
    except etree.XMLSyntaxError:
        return ""
    return words.strip()
