"""The query language: read a query, ask it about one document, or ask thousands of them at once. Pure."""

from listener.query.document import FIELDS, Document, normal_author, normal_site
from listener.query.matcher import Matcher
from listener.query.nodes import And, Field, Near, Node, Not, Or, Phrase, Prefix, Tag, Word
from listener.query.parser import parse
from listener.query.query import Query

__all__ = [
    "FIELDS",
    "And",
    "Document",
    "Field",
    "Matcher",
    "Near",
    "Node",
    "Not",
    "Or",
    "Phrase",
    "Prefix",
    "Query",
    "Tag",
    "Word",
    "normal_author",
    "normal_site",
    "parse",
]
