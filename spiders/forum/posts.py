"""The elements that hold one post each → PostViews with ids that stay the same when a text is edited. Pure."""

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from spiders.forum.dates import FoundDate
from spiders.forum.fields import (
    Dated,
    Sheet,
    find_author,
    find_edited,
    find_published,
)
from spiders.forum.ids import candidate_ids, find_permalink
from spiders.forum.text import text_of
from spiders.forum.tree import Element, ancestors, elements, length, prefer, signature, spaced
from spiders.forum.view import PostView, Selectors

_HEADER_WORDS = frozenset(
    [
        "posted",
        "written",
        "published",
        "by",
        "on",
        "at",
        "the",
        "av",
        "af",
        "von",
        "den",
        "kl",
        "klo",
        "klokken",
        "skrev",
        "skrevet",
        "skrivet",
        "skriven",
        "postad",
        "postat",
        "posted",
        "postet",
        "publicerad",
        "publicerat",
        "publisert",
        "publiceret",
        "inlagt",
        "inlägg",
        "innlegg",
        "indlæg",
        "wrote",
        "says",
        "said",
        "säger",
        "sier",
        "siger",
        "sa",
        "kirjoitti",
        "lähetetty",
        "um",
        "uhr",
    ]
)
"""What a header may say besides author and date."""
_SIGNATURE = re.compile(r"\n+(?:--|_{5,}|-{5,})[ \t]*\n(?:[^\n]{0,120}\n*){1,4}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A post before it has its id. `ids`: (where found, id)."""

    item: Element
    author: str
    text: str
    date: FoundDate | None
    ids: tuple[tuple[str, str], ...] = ()
    edited: FoundDate | None = None


def read_posts(items: Sequence[Element], selectors: Selectors, sheet: Sheet, number: int) -> list[PostView]:
    """Posts with text, in page order. `number`: which page of the thread this is."""
    known = set(items)
    nested = {id(item): [e for e in elements(item) if e in known and e is not item] for item in items}
    texts = _text_elements(items, selectors, sheet, nested)
    drafts = [
        _draft(item, texts[i], selectors, sheet, nested[id(item)], known) for i, item in enumerate(items)
    ]
    drafts = [d for d in drafts if d.text]
    return [
        PostView(
            native_id=native_id,
            author=draft.author,
            text=draft.text,
            published_at=draft.date.at if draft.date else None,
            edited_at=_edited(draft),
            permalink=find_permalink(draft.item, native_id, sheet),
        )
        for draft, native_id in zip(drafts, name_posts(drafts, number), strict=True)
    ]


def _edited(draft: Draft) -> datetime | None:
    """The time of a real edit: many engines name the time of publication as that of the last change."""
    if draft.edited is None or (draft.date is not None and draft.edited.at <= draft.date.at):
        return None
    return draft.edited.at


def _draft(
    item: Element,
    text: Element,
    selectors: Selectors,
    sheet: Sheet,
    nested: list[Element],
    known: set[Element],
) -> Draft:
    inside = set(elements(text)) if text is not item else set()
    below = {e for n in nested for e in elements(n)}
    date = _own_published(item, selectors, sheet, text, nested) or _own_published(
        item, selectors, sheet, None, nested
    )
    lead = _lead(item, known) if date is None else None
    date = date or (find_published(lead, selectors.time, sheet) if lead is not None else None)
    shown = date.element if date else None
    hidden = below if shown in inside else inside | below
    author, by = find_author(item, selectors.author, sheet, shown, hidden)
    ids = [
        *candidate_ids(item, selectors.id, sheet, hidden),
        *(candidate_ids(lead, "", sheet) if lead is not None else ()),
    ]
    return Draft(
        item=item,
        author=author,
        text=words_of(item, text, shown, by, nested),
        date=date.found if date else None,
        ids=tuple(ids)[:40],
        edited=find_edited(item, sheet) if not nested else None,
    )


def _own_published(
    item: Element, selectors: Selectors, sheet: Sheet, text: Element | None, nested: list[Element]
) -> Dated | None:
    """The date of a post that holds its replies: the first one that belongs to none of them."""
    found = find_published(item, selectors.time, sheet, text)
    if found is None or found.element is None or not any(a in nested for a in ancestors(found.element)):
        return found
    return None


def _lead(item: Element, known: set[Element]) -> Element | None:
    """A short header that stands before the post instead of in it (bbPress)."""
    before = item.getprevious()
    return (
        before
        if before is not None
        and isinstance(before.tag, str)
        and before not in known
        and length(before) <= 120
        else None
    )


def words_of(
    item: Element, text: Element, date: Element | None, author: Element | None, nested: Sequence[Element]
) -> str:
    """The post's words: its text element without what names author and date, without the replies it holds."""
    without = set(nested)
    for part in (date, author):
        if part is not None and part is not text and part is not item:
            without.add(_whole_line(part, text))
    return _without_signature(text_of(text, without))


def _without_signature(text: str) -> str:
    """A line of dashes and a few lines under it, as in a letter."""
    found = _SIGNATURE.search(text)
    return text[: found.start()].rstrip() if found and found.start() else text


def _whole_line(part: Element, text: Element) -> Element:
    """The header that consists of nothing but this part (and a few words such as "Posted by")."""
    best = part
    for node in ancestors(part):
        if node is text or node is text.getparent():
            break
        said = spaced(node).replace(spaced(part), " ")
        if not all(word.lower() in _HEADER_WORDS for word in re.findall(r"[^\W\d]+", said)):
            break
        best = node
    return best


def _text_elements(
    items: Sequence[Element], selectors: Selectors, sheet: Sheet, nested: dict[int, list[Element]]
) -> list[Element]:
    """For each post the element that holds its text."""
    chosen: list[Element] = []
    path: tuple[str, ...] | None = None
    for item in items:
        hidden = {e for n in nested[id(item)] for e in elements(n)}
        found = [e for e, _ in prefer(item, selectors.text) if e is not None and e not in hidden]
        if found:
            chosen.append(found[0])
            continue
        if path is None:
            path = _text_path(items, sheet, nested)
        chosen.append(_follow(item, path))
    return chosen


def _steps(element: Element) -> list[tuple[str, Element]]:
    """An element's children, each with the step that leads to it: signature and which one of that signature."""
    seen: Counter[str] = Counter()
    steps = []
    for child in element:
        if isinstance(child.tag, str):
            name = signature(child)
            seen[name] += 1
            steps.append((f"{name}[{seen[name]}]", child))
    return steps


def _follow(item: Element, path: Sequence[str]) -> Element:
    node = item
    for step in path:
        node = next((child for name, child in _steps(node) if name == step), None)
        if node is None:
            return item
    return node


def _text_path(items: Sequence[Element], sheet: Sheet, nested: dict[int, list[Element]]) -> tuple[str, ...]:
    """From a post down to the element that holds its text: while one child holds most of the words that differ."""
    sample = list(items[:40])
    level, path = sample, []
    parts = {e for item in sample for e in _named_parts(item, sheet)} | {
        n for ns in nested.values() for n in ns
    }
    if len(sample) < 3:  # the thread's title over each post is longer than many a text
        heads = {h for item in sample for h in item.iter("h1", "h2", "h3", "h4", "h5")}
        parts |= heads if any(text_of(item, parts | heads) for item in sample) else set()
    for _ in range(30):
        weights = _weights(level, parts)
        total = sum(weights.values())
        best = max(weights, key=lambda step: weights[step], default="")
        if not best or not total or weights[best] < 0.6 * total or best.startswith(("p[", "span[", "br[")):
            break
        below = [child for node in level for step, child in _steps(node) if step == best]
        if _own_words(level) > 0.3 * weights[best] or len(below) < 0.6 * len(level):
            break
        path.append(best)
        level = below
    return tuple(path)


def _named_parts(item: Element, sheet: Sheet) -> list[Element]:
    date = find_published(item, "", sheet)
    _, author = find_author(item, "", sheet, date.element if date else None)
    return [e for e in (date.element if date else None, author) if e is not None]


def _own_words(level: Sequence[Element]) -> int:
    return sum(
        len((node.text or "").strip()) + sum(len((c.tail or "").strip()) for c in node) for node in level
    )


def _weights(level: Sequence[Element], parts: set[Element]) -> dict[str, int]:
    """Step → length of the different texts found there; a profile that repeats with its author weighs once."""
    texts: dict[str, set[str]] = {}
    for node in level:
        for step, child in _steps(node):
            if child not in parts:
                texts.setdefault(step, set()).add(re.sub(r"\d+", "0", text_of(child, parts)))
    return {step: sum(map(len, found)) for step, found in texts.items()}


def name_posts(drafts: Sequence[Draft], number: int) -> list[str]:
    """A native id for each draft, different ones: the page's own ids where they tell the posts apart, else author and time
    (never the text where these are known, for a text may be edited)."""
    scheme = _best_scheme(drafts, number)
    named: list[str] = []
    seen: Counter[str] = Counter()
    for draft in drafts:
        base = next((value for where, value in draft.ids if where == scheme), "") or _fingerprint(
            draft, number
        )
        seen[base] += 1
        named.append(base if seen[base] == 1 else f"{base}.{seen[base]}")
    return named


def _best_scheme(drafts: Sequence[Draft], number: int) -> str:
    order = list(dict.fromkeys(where for draft in drafts for where, _ in draft.ids))
    order.sort(
        key=lambda where: (
            0 if where == "css" else 1 if where.startswith("item:") else 2 if where == "link" else 3
        )
    )
    for where in order:
        values = [next((v for w, v in draft.ids if w == where), "") for draft in drafts]
        given = [v for v in values if v]
        enough = len(given) == len(drafts) or (len(drafts) > 2 and len(given) == len(drafts) - 1)
        if enough and len(set(given)) == len(given) and not (number > 1 and _is_counted(given)):
            return where
    return ""


def _is_counted(values: Sequence[str]) -> bool:
    """1, 2, 3 … on a later page: places on the page, not ids."""
    digits = [int(v) for v in values if v.isdecimal()]
    return (
        len(digits) == len(values)
        and len(digits) > 1
        and digits in (list(range(len(digits))), list(range(1, len(digits) + 1)))
    )


def _fingerprint(draft: Draft, number: int) -> str:
    date = draft.date
    if date is None or date.relative:
        parts = ["text", draft.author, draft.text[:500]]
    elif date.has_time:
        parts = ["at", draft.author, date.at.isoformat()]
    else:  # a day alone does not tell two posts of one author apart on different pages
        parts = ["day", draft.author, date.at.isoformat(), str(number)]
    return "h" + hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]
