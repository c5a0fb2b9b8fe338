"""Which runs of digits are a person's number: Swedish, Norwegian, Danish and Finnish identity numbers and IBAN. Pure.

Sources: Skatteverket SKV 704 (personnummer, samordningsnummer), Skatteetaten (fødselsnummer, D- and H-number, two control
digits mod 11), CPR-kontoret (no control digit since 2007), DVV (henkilötunnus, mod 31, separators of 2023), ISO 13616 (IBAN).
"""

import re
from datetime import date

_NO_FIRST = (3, 7, 6, 1, 8, 9, 4, 5, 2)
_NO_SECOND = (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)
_HETU_CHECK = "0123456789ABCDEFHJKLMNPRSTUVWXY"
_IBAN_LENGTHS = {
    "AT": 20, "BE": 16, "CH": 21, "CZ": 24, "DE": 22, "DK": 18, "EE": 20, "ES": 24, "FI": 18, "FO": 18, "FR": 27, "GB": 22,
    "GL": 18, "IE": 22, "IS": 26, "IT": 27, "LT": 20, "LU": 20, "LV": 21, "NL": 18, "NO": 15, "PL": 28, "PT": 25, "SE": 24,
}  # fmt: skip


def is_date(day: int, month: int, year_of_century: int) -> bool:
    """A calendar date in 1900–2099 with that two-digit year (1900 and 2000 differ only on 29 February)."""
    for century in (2000, 1900):
        try:
            date(century + year_of_century, month, day)
        except ValueError:
            continue
        return True
    return False


def luhn(digits: str) -> bool:
    """The check of the last digit by the Luhn formula (ISO/IEC 7812)."""
    total = 0
    for i, digit in enumerate(reversed(digits)):
        number = int(digit) * (1 + i % 2)
        total += number - 9 if number > 9 else number
    return total % 10 == 0


def is_swedish(digits: str) -> bool:
    """YYMMDDNNNC or YYYYMMDDNNNC; a co-ordination number has 60 added to the day."""
    short = digits[-10:]
    if len(digits) not in {10, 12} or (len(digits) == 12 and digits[:2] not in {"18", "19", "20"}):
        return False
    day = int(short[4:6])
    return is_date(day - 60 if day > 60 else day, int(short[2:4]), int(short[:2])) and luhn(short)


def is_norwegian(digits: str) -> bool:
    """DDMMYYNNNCC; a D-number has 40 added to the day, an H-number 40 to the month."""
    if len(digits) != 11:
        return False
    day, month = int(digits[:2]), int(digits[2:4])
    if not is_date(day - 40 if day > 40 else day, month - 40 if month > 40 else month, int(digits[4:6])):
        return False
    first = -sum(w * int(d) for w, d in zip(_NO_FIRST, digits, strict=False)) % 11
    second = -sum(w * int(d) for w, d in zip(_NO_SECOND, digits, strict=False)) % 11
    return (first, second) == (int(digits[9]), int(digits[10]))


def is_danish(digits: str) -> bool:
    """DDMMYYNNNN: only the date can be checked, so the caller must have another sign (a hyphen, the word CPR)."""
    return len(digits) == 10 and is_date(int(digits[:2]), int(digits[2:4]), int(digits[4:6]))


def is_finnish(text: str) -> bool:
    """DDMMYY, a separator (- + A–F U–Y), NNN, a check character."""
    number = text.upper()
    digits = number[:6] + number[7:10]
    if len(number) != 11 or not digits.isdecimal() or number[6] not in "-+ABCDEFUVWXY":
        return False
    return (
        is_date(int(number[:2]), int(number[2:4]), int(number[4:6]))
        and _HETU_CHECK[int(digits) % 31] == number[10]
    )


def is_iban(text: str) -> bool:
    """Country, two check digits, account; spaces are allowed; mod 97 = 1, and the country's length where we know it."""
    iban = re.sub(r"\s", "", text).upper()
    if not re.fullmatch(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}", iban) or len(iban) != _IBAN_LENGTHS.get(
        iban[:2], len(iban)
    ):
        return False
    return int("".join(str(int(c, 36)) for c in iban[4:] + iban[:4])) % 97 == 1
