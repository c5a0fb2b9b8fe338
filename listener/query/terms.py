"""Read what one token means: a word, prefix, tag or phrase, or a field with its value. Pure.

Errors are UnreadableError with a message for people; the parser makes it a QueryError.
"""

import re
import unicodedata

from listener.mention import CHANNELS, LANGUAGES, UNDETERMINED
from listener.query.document import FIELDS, normal
from listener.query.nodes import And, Field, Phrase, Prefix, Tag, Word
from listener.text import clean, tokenise

MIN_PREFIX = 2
_HOST = re.compile(r"[\w-]+(\.[\w-]+)*")
_VALUES = {"channel": CHANNELS, "lang": (*LANGUAGES, UNDETERMINED)}
_EXACT = "write the text in quotes to search for it as it stands"


class UnreadableError(Exception):
    """What is written is no term. `offset`: where in it, in characters."""

    def __init__(self, message: str, offset: int = 0) -> None:
        super().__init__(message)
        self.offset = offset


def read_word(written: str) -> Word | Prefix | Tag | Phrase | And:
    """A run of characters outside quotes. Several words in it (e-post, sj.se) are a phrase; a tag or handle
    of several words (@sj.se) is its first word as a tag, and the phrase."""
    if not written.startswith(("#", "@")):
        return read_phrase(written)
    if "*" in written:
        wanted = "want the whole tag, or a prefix without sign"
        raise UnreadableError(f"{written}: * does not go with # and @; {wanted}", written.index("*"))
    phrase = read_phrase(written)
    first = phrase.words[0] if isinstance(phrase, Phrase) else phrase.text
    tag = Tag(written[0] + first)
    if tag.text not in tokenise(clean(written)).tags:
        raise UnreadableError(f"{written}: {written[0]} must stand right before a letter or digit")
    return And((tag, phrase)) if isinstance(phrase, Phrase) else tag


def read_phrase(written: str) -> Word | Prefix | Phrase:
    """The inside of quotes, or a run of characters whose # and @ do not count."""
    is_prefix = _ends_in_star(written)
    words = tokenise(clean(written)).words
    if not words:
        what = written.strip() or "the quotation"
        raise UnreadableError(f"{what}: nothing to search for; want at least one letter or digit")
    if is_prefix and len(words[-1]) < MIN_PREFIX:
        message = f"{words[-1]}*: finds too much; want at least {MIN_PREFIX} letters before the *"
        raise UnreadableError(message, written.rindex(written.split()[-1]))
    if len(words) > 1:
        return Phrase(words, last_is_prefix=is_prefix)
    return Prefix(words[0]) if is_prefix else Word(words[0])


def _ends_in_star(written: str) -> bool:
    """Whether it ends in a * that follows a word; any other * is an error."""
    body = written.rstrip().removesuffix("*")
    if "*" in body:
        wanted = f"want one * at the end, after at least {MIN_PREFIX} letters, as in tåg*"
        raise UnreadableError(f"{written}: * is not at the end of the word; {wanted}", body.index("*"))
    is_prefix = body != written.rstrip()
    if is_prefix and not re.search(r"\w\Z", unicodedata.normalize("NFC", body)):
        wanted = f"want it right after at least {MIN_PREFIX} letters, as in tåg*"
        raise UnreadableError(f"{written}: * has no word before it; {wanted}", len(body))
    return is_prefix


def read_field(name: str, written: str) -> Field:
    """`name:written`."""
    field = name.casefold()
    if field not in FIELDS:
        known = " ".join(f"{known}:" for known in FIELDS)
        raise UnreadableError(f"{name}: is not a field; want one of {known} ({_EXACT})")
    value = normal(field, clean(written))
    if not value:
        raise UnreadableError(f'{field}: has no value; want a word or "several words" right after the colon')
    if "*" in value:
        raise UnreadableError(f"{field}:{value}: a field takes no *; want the whole value")
    if field == "site" and not _HOST.fullmatch(value):
        raise UnreadableError(f"site:{value}: is not a host; want only its name, as in site:sj.se")
    if value not in _VALUES.get(field, (value,)):
        raise UnreadableError(f"{field}:{value}: is not known; want one of {' '.join(_VALUES[field])}")
    return Field(field, value)
