"""STUB, being replaced."""
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Query:
    text: str
