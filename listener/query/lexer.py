"""Cut a query into tokens, each with the column where it starts. Pure."""

import re
from dataclasses import dataclass
from enum import Enum, auto

from listener.errors import QueryError

MAX_CHARS = 4_000
MAX_NEAR = 100
_QUOTES = str.maketrans("“”„‟«»＂", '"' * 7)
_BREAKS = re.compile(r"[^\S ]|[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_TOKEN = re.compile(
    r"""
    (?P<parenthesis> [()] )
    | " (?P<inside> [^"]* ) (?P<closed> "? )
    | (?P<minus> -* ) (?: (?P<name> [^\W\d_]+ ) :" (?P<value> [^"]* ) " | (?P<rest> [^\s()"-][^\s()"]* ) )
    | (?P<sign> -+ )
    """,
    re.VERBOSE,
)


class Kind(Enum):
    WORD = auto()
    PHRASE = auto()
    FIELD = auto()
    OPEN = auto()
    CLOSE = auto()
    AND = auto()
    OR = auto()
    NOT = auto()
    NEAR = auto()
    END = auto()


_OPERATORS = {"AND": Kind.AND, "OR": Kind.OR, "NOT": Kind.NOT}


@dataclass(frozen=True, slots=True)
class Token:
    """`value`: a word or operator as written, the inside of quotes, a field's value, or the n of NEAR."""

    kind: Kind
    value: str
    column: int
    name: str = ""
    """Of a field, as written."""

    def __str__(self) -> str:
        """As people should read it in a message."""
        if self.kind is Kind.END:
            return "nothing"
        return f"NEAR/{self.value}" if self.kind is Kind.NEAR else self.value


class Lexer:
    """The tokens of one query, closed by END. Raises QueryError."""

    def __init__(self, text: str) -> None:
        self.shown = _BREAKS.sub(" ", text[:MAX_CHARS])
        """The query on one line, for messages; columns stay as they are."""
        if len(text) > MAX_CHARS:
            message = f"the query has {len(text):,} characters; want at most {MAX_CHARS:,}"
            raise self.error(message, MAX_CHARS + 1)
        self.source = text.translate(_QUOTES)

    def error(self, message: str, column: int) -> QueryError:
        return QueryError(_BREAKS.sub(" ", message), query=self.shown, column=column)

    def tokens(self) -> list[Token]:
        found: list[Token] = []
        for match in _TOKEN.finditer(self.source):
            found.extend(self._minuses(match))
            if match["parenthesis"]:
                found.append(Token(Kind.OPEN if match[0] == "(" else Kind.CLOSE, match[0], match.start() + 1))
            elif match["inside"] is not None:
                found.append(self._phrase(match))
            elif match["name"]:
                found.append(Token(Kind.FIELD, match["value"], match.start("name") + 1, match["name"]))
            elif match["rest"]:
                found.append(self._run(match["rest"], match.start("rest") + 1))
        return [*found, Token(Kind.END, "", len(self.source) + 1)]

    def _minuses(self, match: re.Match[str]) -> list[Token]:
        """Each - before something is a NOT; one that stands alone is a slip."""
        if match["sign"] and self.source[match.end() : match.end() + 1] not in ("(", '"'):
            raise self.error("- stands alone; want it right before a word, as in -word", match.end())
        count = len(match["minus"] or match["sign"] or "")
        return [Token(Kind.NOT, "-", match.start() + i + 1) for i in range(count)]

    def _phrase(self, match: re.Match[str]) -> Token:
        column = match.start() + 1
        if not match["closed"]:
            raise self.error("the quotation mark is never closed; want a second one after the phrase", column)
        return Token(Kind.PHRASE, match["inside"], column)

    def _run(self, run: str, column: int) -> Token:
        """A run without white space, quotes and parentheses: an operator, a field or a word."""
        if run in _OPERATORS:
            return Token(_OPERATORS[run], run, column)
        if run == "NEAR" or run.startswith("NEAR/"):
            return Token(Kind.NEAR, self._distance(run, column), column)
        name, colon, value = run.partition(":")
        if colon and name.isalpha():
            return Token(Kind.FIELD, value, column, name)
        return Token(Kind.WORD, run, column)

    def _distance(self, operator: str, column: int) -> str:
        digits = operator.removeprefix("NEAR").removeprefix("/")
        if not re.fullmatch("[0-9]{1,3}", digits) or int(digits) > MAX_NEAR:
            wanted = f"want NEAR/n, at most n words between, n from 0 to {MAX_NEAR}, as in NEAR/5"
            raise self.error(f"{operator[:20]} cannot be read; {wanted}", column)
        return str(int(digits))
