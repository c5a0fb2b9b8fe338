"""Other people's text made harmless and short, without cutting a visible character in two. Pure."""

import re
import unicodedata
from collections.abc import Iterator

_UNWANTED = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff\ud800-\udfff]"
)
_SPACES = re.compile(r"\s+")
_JOINER = "\u200d"
_MOST_MARKS = 6
"""On one base character; more is a tower of accents that hides the lines above and below."""


def inert(text: str) -> str:
    """One line without control, direction, zero-width or half characters; towers of accents are cut down."""
    line = _SPACES.sub(" ", _UNWANTED.sub(" ", text)).strip()
    return "".join(clusters(line))


def brief(text: str, limit: int) -> str:
    """`inert` and at most `limit` characters; does not read all of a text that is far longer."""
    return shorten(inert(text[: 8 * limit + 64]), limit)


def shorten(text: str, limit: int) -> str:
    """At most `limit` characters, the last one "…" where something was left out; a family emoji stays whole
    or goes."""
    if len(text) <= limit:
        return text
    kept, size = [], 0
    for cluster in clusters(text):
        if size + len(cluster) > limit - 1:
            break
        kept.append(cluster)
        size += len(cluster)
    return "".join(kept).rstrip() + "…"


def clusters(text: str) -> Iterator[str]:
    """What a reader sees as one character, piece by piece: a base with its accents, a flag, an emoji joined
    of several. Approximates Unicode TR29 with what `unicodedata` knows; Hangul and Indic conjuncts may come
    apart."""
    cluster, marks = "", 0
    for char in text:
        mark = _extends(char)
        if cluster and (mark or cluster.endswith(_JOINER) or _completes_flag(cluster, char)):
            marks = marks + 1 if mark and char != _JOINER else marks
            if marks <= _MOST_MARKS or not unicodedata.combining(char):
                cluster += char
            continue
        if cluster:
            yield cluster
        cluster, marks = char, 0
    if cluster:
        yield cluster


def _extends(char: str) -> bool:
    return (
        char == _JOINER
        or unicodedata.category(char) in ("Mn", "Me", "Mc")
        or "\U0001f3fb" <= char <= "\U0001f3ff"
        or "\U000e0020" <= char <= "\U000e007f"
    )


def _completes_flag(cluster: str, char: str) -> bool:
    return len(cluster) == 1 and all("\U0001f1e6" <= letter <= "\U0001f1ff" for letter in (cluster, char))
