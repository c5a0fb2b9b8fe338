"""Direct identifiers out of a text before it is stored: e-mail, phone, IBAN and Nordic identity numbers. Pure.

Names of persons stay: telling them from words is guesswork, and a guess would eat the text. Precision and recall on seeded
texts: `benchmarks/redaction.py`.
"""

import re
from functools import lru_cache

import phonenumbers
from phonenumbers import PhoneNumberType

from listener.identifiers import is_danish, is_finnish, is_iban, is_norwegian, is_swedish

EMAIL, PHONE, IBAN, PERSON = "[e-mail]", "[phone]", "[IBAN]", "[person number]"

_EMAIL = re.compile(
    r"[\w.+\-]{1,64}\s?(?:@|[\[(](?:at|snabel-a|krøllalfa)[\])])\s?[\w\-]{1,63}(?:\.[\w\-]{2,63}){1,4}",
    re.IGNORECASE,
)
_IBAN = re.compile(r"\b[A-Za-z]{2}\d{2}(?: ?[A-Za-z0-9]{4}){2,7}(?: ?[A-Za-z0-9]{1,3})?\b")
_HETU = re.compile(r"(?<![\w])\d{6}[-+A-FU-Ya-fu-y]\d{3}[0-9A-Ya-y](?!\w)")
_NUMBER = re.compile(r"(?<![\w.,/:+\-])\d{6}(?:\d{2})?[-+ ]?\d{4,5}(?![\w]|[.,:/\-]\d)")
_PHONE = re.compile(r"(?<![\w.,/:\-])(?:\+|00)?\(?\d(?:[ \-–./()]{0,2}\d){6,14}(?![\w]|[.,:/\-]\d)")
_DATE_OR_TIMES = re.compile(
    r"\d{1,2}\.\d{2} ?[-–] ?\d{1,2}\.\d{2}$|\d{1,2}[.\-/ ]\d{1,2}[.\-/ ](?:19|20)\d{2}|(?:19|20)\d{2}[.\-/ ]\d{1,2}[.\-/ ]\d{1,2}"
)
_CPR_WORD = re.compile(r"\b(?:cpr|person(?:nr|nummer|tal))", re.IGNORECASE)
_PHONE_WORD = re.compile(
    r"\b(?:tlf|tel|telefon|mobil|mob|ring|nummer|nr|sms|puh|puhelin|call|phone|swish|vipps)[\w.]*\W{0,3}$",
    re.IGNORECASE,
)
_WITHOUT_PREFIX = re.compile(r"\d{2} \d{2} \d{2} \d{2}|\d{3} \d{2} \d{3}")
_BARE_MOBILE = re.compile(r"07[02369]\d{7}|04\d{7,8}|050\d{6,7}")
_REGIONS = ("SE", "NO", "DK", "FI")
_COMPANY_LINES = frozenset(
    {
        PhoneNumberType.TOLL_FREE,
        PhoneNumberType.SHARED_COST,
        PhoneNumberType.PREMIUM_RATE,
        PhoneNumberType.UAN,
    }
)


def redact(text: str) -> str:
    """The text with each direct identifier replaced by what it was. Twice is the same as once."""
    if "@" in text or "(at)" in text or "[at]" in text or "snabel" in text or "krøll" in text:
        text = _EMAIL.sub(EMAIL, text)
    if sum(map(text.count, "0123456789")) < 7:
        return text
    text = _IBAN.sub(lambda m: _without_iban(m[0]), text)
    text = _HETU.sub(lambda m: PERSON if is_finnish(m[0]) else m[0], text)
    danish_context = bool(_CPR_WORD.search(text))
    text = _NUMBER.sub(lambda m: PERSON if _is_person(m[0], danish_context) else m[0], text)
    return _PHONE.sub(
        lambda m: PHONE if _is_phone(m[0], m.string[max(0, m.start() - 24) : m.start()]) else m[0], text
    )


def _without_iban(run: str) -> str:
    """The run may have swallowed a short word behind the account number: try without its last words."""
    parts = run.split(" ")
    for end in range(len(parts), 0, -1):
        if is_iban("".join(parts[:end])):
            return " ".join((IBAN, *parts[end:]))
    return run


def _is_person(number: str, danish_context: bool) -> bool:
    digits = re.sub(r"\D", "", number)
    if is_swedish(digits) or is_norwegian(digits):
        return True
    # Every third run of ten digits could be a Danish number: want its usual hyphen, or the word for it.
    return is_danish(digits) and (danish_context or bool(re.fullmatch(r"\d{6}-\d{4}", number)))


def _is_phone(number: str, before: str) -> bool:
    if _DATE_OR_TIMES.match(number):
        return False
    if not number.startswith(("+", "00", "0", "(0")):
        # Norway and Denmark dial without any prefix; an amount or an order number must not look like that.
        spoken = bool(_PHONE_WORD.search(before))
        return (spoken or bool(_WITHOUT_PREFIX.fullmatch(number))) and _is_valid(
            re.sub(r"\D", "", number), ("NO", "DK")
        )
    if (
        number.isdecimal()
        and not number.startswith("00")
        and not _BARE_MOBILE.fullmatch(number)
        and not _PHONE_WORD.search(before)
    ):
        return False
    return _is_valid(number, _REGIONS)


@lru_cache(maxsize=4096)
def _is_valid(number: str, regions: tuple[str, ...]) -> bool:
    """A number that somebody could have in one of the regions, and not one of a company's service lines."""
    for region in regions:
        try:
            parsed = phonenumbers.parse(number, region)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number(parsed):
            return phonenumbers.number_type(parsed) not in _COMPANY_LINES
    return False
