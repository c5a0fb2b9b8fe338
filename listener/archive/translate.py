"""Queries as SQL for the SQLite archive. Pure.

What only asks about words becomes one FTS5 expression; anything else becomes boolean SQL over sets of keys. Words stand in
quotes, values are parameters: nothing that a user wrote is read as syntax.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product

from listener.errors import StoreError
from listener.query import And, Field, Near, Node, Not, Or, Phrase, Prefix, Tag, Word
from listener.query.nodes import Place

MAX_NEAR_PAIRS = 1_000
"""FTS5 knows no alternatives beside NEAR: each pair is written out."""

_MAX_HEIGHT = 12  # SQLite's and FTS5's parsers give up at about 100 open parentheses
_MAX_DISTANCE = 1_000_000


@dataclass(slots=True)
class Sql:
    """SQL under construction. `tables` are common table expressions; named parameters may be used in any order."""

    tables: list[str] = field(default_factory=list)
    params: dict[str, object] = field(default_factory=dict)

    def param(self, value: object) -> str:
        name = f"q{len(self.params)}"
        self.params[name] = value
        return f":{name}"


@dataclass(frozen=True, slots=True)
class Asked:
    """`match`: the FTS5 expression that every hit satisfies, or ""; `conditions`: further ones on mention m, in SQL."""

    match: str
    conditions: tuple[str, ...]


def translate(root: Node, sql: Sql) -> Asked:
    """A query as one FTS5 expression to lead, and conditions. Raises StoreError when NEAR has too many alternatives."""
    wanted = root.children if isinstance(root, And) else (root,)
    texts = [node for node in wanted if _is_textual(node)]
    if not texts:
        return Asked("", (_condition(root, sql, root),))
    match = _joined("AND", texts)
    if excluded := _excluded(wanted):
        match = f"({match} NOT {_joined('OR', excluded)})"
    rest = [node for node in wanted if not _is_textual(node) and not _excludes_text(node)]
    return Asked(match, tuple(_condition(node, sql, root) for node in rest))


def _condition(node: Node, sql: Sql, above: Node) -> str:
    """One condition on mention m, in parentheses; tall trees are cut into tables, so that no parenthesis is deep."""
    if _is_textual(node):
        return _found(match_expression(node), sql)
    match node:
        case And():
            written = _all_of(node.children, sql, node)
        case Or():
            written = _any_of(node.children, sql, node)
        case Not(child):
            written = f"NOT {_condition(child, sql, node)}"
        case Field(name, value):
            written = _field(name, value, sql)
        case _:
            raise TypeError(f"a query cannot hold a {type(node).__name__} here")
    is_cut = _height(node) // _MAX_HEIGHT < _height(above) // _MAX_HEIGHT
    return _as_table(written, sql) if is_cut else f"({written})"


def _as_table(condition: str, sql: Sql) -> str:
    name = f"t{len(sql.tables)}"
    sql.tables.append(f"{name} (key) AS (SELECT m.key FROM mention m WHERE {condition})")  # noqa: S608 (written here)
    return f"(m.key IN (SELECT key FROM {name}))"  # noqa: S608 (a name of ours)


def _all_of(nodes: Sequence[Node], sql: Sql, above: Node) -> str:
    """Texts become one look-up, and so do excluded texts: `NOT a AND NOT b` is `NOT (a OR b)`."""
    return " AND ".join(_grouped(nodes, sql, above, same="AND", other="OR"))


def _any_of(nodes: Sequence[Node], sql: Sql, above: Node) -> str:
    return " OR ".join(_grouped(nodes, sql, above, same="OR", other="AND"))


def _grouped(nodes: Sequence[Node], sql: Sql, above: Node, *, same: str, other: str) -> Iterator[str]:
    texts = [node for node in nodes if _is_textual(node)]
    if texts:
        yield _found(_joined(same, texts), sql)
    if excluded := _excluded(nodes):
        yield f"NOT {_found(_joined(other, excluded), sql)}"
    for node in nodes:
        if not _is_textual(node) and not _excludes_text(node):
            yield _condition(node, sql, above)


def _found(expression: str, sql: Sql) -> str:
    return f"(m.key IN (SELECT rowid FROM words WHERE words MATCH {sql.param(expression)}))"  # noqa: S608 (a parameter)


def _field(name: str, value: str, sql: Sql) -> str:
    wanted = sql.param(value)
    match name:
        case "author":
            return f"m.author = {wanted}"
        case "site":
            parent = sql.param("." + value)
            return f"m.site = {wanted} OR substr(m.site, -length({parent})) = {parent}"
        case "lang":
            return f"normal(m.language) = {wanted}"
        case "channel" | "source":
            return f"normal(m.{name}) = {wanted}"
        case _:
            raise StoreError(
                f"query field {name!r}: is not archived; want author, site, channel, lang or source",
                permanent=True,
            )


def match_expression(node: Node) -> str:
    """A textual node as an FTS5 expression. In the index tags have their sign and words none: neither finds the other."""
    match node:
        case And(children):
            return _joined("AND", children)
        case Or(children):
            return _joined("OR", children)
        case Near(left, right, n):
            return _near(left, right, n)
        case Word() | Prefix() | Phrase() | Tag():
            return _string(node)
        case _:
            raise TypeError(f"{type(node).__name__} is not text")


def _joined(operator: str, nodes: Sequence[Node]) -> str:
    return "(" + f" {operator} ".join(match_expression(node) for node in nodes) + ")"


def _near(left: Place, right: Place, n: int) -> str:
    pairs = list(product(_alternatives(left), _alternatives(right)))
    if len(pairs) > MAX_NEAR_PAIRS:
        raise StoreError(
            f"NEAR/{n} has {len(pairs):,} pairs of words: want at most {MAX_NEAR_PAIRS:,}; use fewer alternatives",
            permanent=True,
        )
    distance = min(n, _MAX_DISTANCE)
    return "(" + " OR ".join(f"NEAR({a} {b}, {distance})" for a, b in pairs) + ")"


def _alternatives(place: Place) -> Iterator[str]:
    if isinstance(place, Or):
        for child in place.children:
            if isinstance(child, Word | Prefix | Phrase | Or):
                yield from _alternatives(child)
    else:
        yield _string(place)


def _string(node: Word | Prefix | Phrase | Tag) -> str:
    match node:
        case Phrase(words, last_is_prefix):
            return _quoted(" ".join(words)) + (" *" if last_is_prefix else "")
        case Prefix(text):
            return _quoted(text) + " *"
        case Word(text) | Tag(text):
            return _quoted(text)


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _is_textual(node: Node) -> bool:
    """Whether FTS5 can answer it alone: words only, without NOT, and not nested too deeply."""
    return _only_words(node) and _height(node) < _MAX_HEIGHT


def _excludes_text(node: Node) -> bool:
    return isinstance(node, Not) and _is_textual(node.child)


def _excluded(nodes: Sequence[Node]) -> list[Node]:
    return [node.child for node in nodes if isinstance(node, Not) and _is_textual(node.child)]


def _only_words(node: Node) -> bool:
    match node:
        case And(children) | Or(children):
            return all(_only_words(child) for child in children)
        case Not() | Field():
            return False
        case _:
            return True


def _height(node: Node) -> int:
    match node:
        case And(children) | Or(children):
            return 1 + max(_height(child) for child in children)
        case Not(child):
            return 1 + _height(child)
        case _:
            return 0
