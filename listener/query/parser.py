"""Read a query: recursive descent, one method for each level of binding (NOT, NEAR, AND, OR). Pure."""

from collections.abc import Callable

from listener.errors import QueryError
from listener.query.lexer import MAX_CHARS, Kind, Lexer, Token
from listener.query.nodes import And, Near, Node, Not, Or, Phrase, Place, Prefix, Word
from listener.query.query import Query
from listener.query.terms import UnreadableError, read_field, read_phrase, read_word

MAX_DEPTH = 50
_NEAR_TAKES = "NEAR wants a word, prefix* or phrase on each side, or several of these with OR in parentheses"
_NEVER_CLOSED = "the parenthesis is never closed; want a ) after its last word"
_CLOSES_NOTHING = ") closes nothing; want a ( before it, or no )"
_READERS: dict[Kind, Callable[[Token], Node]] = {
    Kind.WORD: lambda token: read_word(token.value),
    Kind.PHRASE: lambda token: read_phrase(token.value),
    Kind.FIELD: lambda token: read_field(token.name, token.value),
}


def parse(text: str) -> Query:
    """The query that `text` says. Raises QueryError, which points at the column, and nothing else."""
    lexer = Lexer(text)
    parser = _Parser(lexer)
    query = Query(text, parser.whole())
    if (size := len(str(query))) > MAX_CHARS:
        raise lexer.error(f"written out the query has {size:,} characters; want at most {MAX_CHARS:,}", 1)
    return query


class _Parser:
    """Reads the tokens of one query from left to right."""

    def __init__(self, lexer: Lexer) -> None:
        self._error: Callable[[str, int], QueryError] = lexer.error
        self._tokens = lexer.tokens()
        self._at = 0
        self._depth = 0

    def whole(self) -> Node:
        if self._sees(Kind.END):
            raise self._error("the query is empty; want at least one word", 1)
        node = self._or()
        if self._sees(Kind.CLOSE):
            raise self._error(_CLOSES_NOTHING, self._next.column)
        return node

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def _sees(self, *kinds: Kind) -> bool:
        return self._next.kind in kinds

    def _take(self) -> Token:
        token = self._tokens[self._at]
        self._at += 1
        return token

    def _or(self) -> Node:
        children = [self._and()]
        while self._sees(Kind.OR):
            self._take()
            children.append(self._and())
        return _joined(Or, children)

    def _and(self) -> Node:
        children = [self._near()]
        while not self._sees(Kind.OR, Kind.CLOSE, Kind.END):
            if self._sees(Kind.AND):
                self._take()
            children.append(self._near())
        return _joined(And, children)

    def _near(self) -> Node:
        column = self._next.column
        left = self._not()
        if not self._sees(Kind.NEAR):
            return left
        operator = self._take()
        place = self._place(left, column)
        column = self._next.column
        near = Near(place, self._place(self._not(), column), int(operator.value))
        if self._sees(Kind.NEAR):
            wanted = "want two at a time, as in (a NEAR/5 b) AND (b NEAR/5 c)"
            raise self._error(f"{self._next} follows another NEAR; {wanted}", self._next.column)
        return near

    def _place(self, node: Node, column: int) -> Place:
        if isinstance(node, Word | Prefix | Phrase):
            return node
        if isinstance(node, Or) and all(isinstance(child, Word | Prefix | Phrase) for child in node.children):
            return node
        raise self._error(f"{str(node)[:60]} has no place in the text; {_NEAR_TAKES}", column)

    def _not(self) -> Node:
        negated = False
        while self._sees(Kind.NOT):
            self._take()
            negated = not negated
        node = self._operand()
        if not negated:
            return node
        return node.child if isinstance(node, Not) else Not(node)

    def _operand(self) -> Node:
        token = self._next
        if token.kind is Kind.OPEN:
            return self._group()
        if token.kind not in _READERS:
            raise self._missing(token)
        self._take()
        try:
            node = _READERS[token.kind](token)
        except UnreadableError as e:
            opening = 1 if token.kind is Kind.PHRASE else 0
            raise self._error(str(e), token.column + (e.offset and e.offset + opening)) from None
        if isinstance(node, And):
            self._check_depth(self._depth + 1, token)
        return node

    def _group(self) -> Node:
        opening = self._take()
        self._depth += 1
        self._check_depth(self._depth, opening)
        if self._sees(Kind.CLOSE):
            raise self._error("there is nothing in these parentheses; want at least one word", opening.column)
        node = self._or()
        if not self._sees(Kind.CLOSE):
            raise self._error(_NEVER_CLOSED, opening.column)
        self._take()
        self._depth -= 1
        return node

    def _check_depth(self, depth: int, token: Token) -> None:
        if depth > MAX_DEPTH:
            raise self._error(f"parentheses are {depth} deep; want at most {MAX_DEPTH}", token.column)

    def _missing(self, token: Token) -> QueryError:
        """A word is wanted where `token` stands: the fault of what is before it, when that needs one."""
        before = self._tokens[self._at - 1] if self._at else None
        if before and before.kind in (Kind.AND, Kind.OR, Kind.NOT, Kind.NEAR):
            return self._error(f"{before} is followed by {token}; want a word or phrase there", before.column)
        if before and token.kind is Kind.END:
            return self._error(_NEVER_CLOSED, before.column)
        if token.kind is Kind.CLOSE:
            return self._error(_CLOSES_NOTHING, token.column)
        return self._error(f"{token} has nothing before it; want a word or phrase there", token.column)


def _joined(kind: type[And] | type[Or], children: list[Node]) -> Node:
    """One node of that kind, flat and without doubles; a lone child stands for itself."""
    flat: dict[Node, None] = {}
    for child in children:
        flat.update(dict.fromkeys(child.children if isinstance(child, kind) else (child,)))
    return kind(tuple(flat)) if len(flat) > 1 else next(iter(flat))
