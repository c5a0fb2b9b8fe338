"""Precision and recall of the redaction of direct identifiers, on seeded customer texts: real-looking numbers with right check
digits, and decoys (order numbers, amounts, dates, timestamps, company lines, organisation numbers) that must stay.

    python -m benchmarks.redaction --texts 20000 --json
"""

import argparse
import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from listener.identifiers import is_iban, is_norwegian, luhn
from listener.redaction import EMAIL, IBAN, PERSON, PHONE, redact

FRAMES = (
    "Hej! {x} är det som gäller, kan ni ringa eller skriva?",
    "Jag har väntat i tre veckor nu. {x}",
    "Kan noen hjelpe meg? {x} – takk på forhånd!",
    "Fakturan blev fel igen ({x}), helt oacceptabelt",
    "Skriv till mig: {x}",
    "Moi, numero on {x} ja laskussa on virhe",
    "Hej, jeg har skrevet {x} tre gange uden svar.",
    "{x}",
)
_HETU_CHECK = "0123456789ABCDEFHJKLMNPRSTUVWXY"


@dataclass(frozen=True, slots=True)
class Case:
    """One text with one run of characters; `label` is what should stand in its place, "" when it must stay."""

    kind: str
    text: str
    secret: str
    label: str


def _birth(rnd: random.Random) -> date:
    return date(1930, 1, 1) + timedelta(days=rnd.randrange(34_000))


def swedish(rnd: random.Random) -> str:
    born = _birth(rnd)
    day = born.day + 60 * (rnd.random() < 0.1)
    stem = f"{born:%y%m}{day:02d}{rnd.randrange(1000):03d}"
    digits = next(stem + str(c) for c in range(10) if luhn(stem + str(c)))
    century = str(born.year)[:2] if rnd.random() < 0.5 else ""
    return f"{century}{digits[:6]}{rnd.choice(['-', '-', '', ' '])}{digits[6:]}"


def norwegian(rnd: random.Random) -> str:
    while True:
        born = _birth(rnd)
        stem = f"{born.day + 40 * (rnd.random() < 0.1):02d}{born:%m%y}{rnd.randrange(1000):03d}"
        for check in range(100):
            if is_norwegian(f"{stem}{check:02d}"):
                digits = f"{stem}{check:02d}"
                return digits if rnd.random() < 0.6 else f"{digits[:6]} {digits[6:]}"


def danish(rnd: random.Random) -> str:
    born = _birth(rnd)
    return f"{born:%d%m%y}-{rnd.randrange(10_000):04d}"


def danish_with_word(rnd: random.Random) -> str:
    born = _birth(rnd)
    return f"cpr {born:%d%m%y}{rnd.randrange(10_000):04d}"


def finnish(rnd: random.Random) -> str:
    born, serial = _birth(rnd), rnd.randrange(2, 900)
    check = _HETU_CHECK[int(f"{born:%d%m%y}{serial:03d}") % 31]
    return f"{born:%d%m%y}{rnd.choice('-AXYBC')}{serial:03d}{check}"


def iban(rnd: random.Random) -> str:
    country, length = rnd.choice([("SE", 24), ("NO", 15), ("DK", 18), ("FI", 18), ("DE", 22)])
    account = "".join(rnd.choice("0123456789") for _ in range(length - 4))
    whole = next(f"{country}{c:02d}{account}" for c in range(2, 99) if is_iban(f"{country}{c:02d}{account}"))
    return whole if rnd.random() < 0.4 else " ".join(whole[i : i + 4] for i in range(0, length, 4))


def email(rnd: random.Random) -> str:
    name = rnd.choice(["kalle.persson", "guro_n", "tove+lista", "a.b.c", "sörensen", "mikael81"])
    at = rnd.choice(["@", "@", "@", " (at) ", "[at]"])
    return f"{name}{rnd.randrange(99)}{at}{rnd.choice(['exempel.se', 'post.eksempel.no', 'firma.dk', 'luukku.fi'])}"


def phone(rnd: random.Random) -> str:
    def digits(n: int) -> str:
        return "".join(rnd.choice("0123456789") for _ in range(n))

    mobile = rnd.choice("0236")
    forms: list[Callable[[], str]] = [
        lambda: f"07{mobile}-{rnd.choice('123456789')}{digits(2)} {digits(2)} {digits(2)}",
        lambda: f"07{mobile}{rnd.choice('123456789')}{digits(6)}",
        lambda: f"+46 7{mobile} {rnd.choice('123456789')}{digits(2)} {digits(2)} {digits(2)}",
        lambda: f"08-{rnd.choice('56')}{digits(2)} {digits(3)} {digits(2)}",
        lambda: f"+47 9{digits(2)} {digits(2)} {digits(3)}",
        lambda: f"4{rnd.choice('01')}{digits(1)} {digits(2)} {digits(3)}",
        lambda: f"tlf. 9{rnd.choice('0123')}{digits(6)}",
        lambda: f"+45 2{rnd.choice('0123')} {digits(2)} {digits(2)} {digits(2)}",
        lambda: f"040 {rnd.choice('123456789')}{digits(2)} {digits(4)}",
        lambda: f"+358 50 {rnd.choice('123456789')}{digits(2)} {digits(4)}",
    ]
    return rnd.choice(forms)()


def decoy(rnd: random.Random) -> str:
    number = rnd.randrange
    forms: list[Callable[[], str]] = [
        lambda: f"order {number(10**7, 10**8)}",
        lambda: f"ordernummer {number(10**9, 10**10)}",
        lambda: f"{number(1, 999)} {number(100, 999)} kr",
        lambda: f"{number(1, 28)}.{number(1, 13)}.20{number(10, 27)}",
        lambda: (
            f"20{number(10, 27)}-{number(1, 13):02d}-{number(1, 29):02d} kl {number(24):02d}:{number(60):02d}"
        ),
        lambda: f"kollinummer 00373{number(10**14, 10**15)}",
        lambda: f"orgnr 556{number(100, 999)}-{number(1000, 9999)}",
        lambda: "kundtjänst 0771-12 34 56",
        lambda: f"felkod 0x{number(16**6, 16**8):x}",
        lambda: f"version {number(1, 20)}.{number(20)}.{number(2000)}",
        lambda: f"{number(1_600_000_000, 1_800_000_000)}",
        lambda: f"{number(10, 99)} {number(100, 999)} {number(100, 999)} kroner",
        lambda: f"saldo 1{number(100, 999)},{number(10, 99)} och {number(100, 999)},00",
        lambda: f"IMEI {number(10**14, 10**15)}",
        lambda: f"klockan {number(24):02d}.{number(60):02d}-{number(24):02d}.{number(60):02d}",
        lambda: f"kundnr {number(10**5, 10**6)}",
    ]
    return rnd.choice(forms)()


KINDS = {
    "swedish": (swedish, PERSON),
    "norwegian": (norwegian, PERSON),
    "danish": (danish, PERSON),
    "danish with word": (danish_with_word, PERSON),
    "finnish": (finnish, PERSON),
    "iban": (iban, IBAN),
    "email": (email, EMAIL),
    "phone": (phone, PHONE),
    "decoy": (decoy, ""),
}


def cases(count: int, seed: int = 1) -> list[Case]:
    """Half of them decoys."""
    rnd, out = random.Random(seed), []
    for _ in range(count):
        kind = "decoy" if rnd.random() < 0.5 else rnd.choice([k for k in KINDS if k != "decoy"])
        make, label = KINDS[kind]
        secret = make(rnd)
        out.append(Case(kind, rnd.choice(FRAMES).replace("{x}", secret), secret, label))
    return out


def measure(count: int, seed: int = 1) -> dict[str, object]:
    """Precision = right redactions of all; recall = identifiers of which no digit and no name is left. Per kind: recall."""
    found, total = Counter[str](), Counter[str]()
    false = 0
    for case in cases(count, seed):
        out = redact(case.text)
        if case.label:
            total[case.kind] += 1
            found[case.kind] += case.secret not in out and case.label in out
        else:
            false += out != case.text
    hit = sum(found.values())
    return {
        "texts": count,
        "precision": round(hit / (hit + false), 4),
        "recall": round(hit / sum(total.values()), 4),
        "false": false,
        "recall_by_kind": {kind: round(found[kind] / total[kind], 4) for kind in sorted(total)},
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--texts", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    arguments = parser.parse_args()
    result = measure(arguments.texts, arguments.seed)
    if arguments.json:
        print(json.dumps(result))
        return
    print(
        f"precision {result['precision']}   recall {result['recall']}   ({result['texts']} texts, {result['false']} decoys eaten)"
    )
    by_kind = result["recall_by_kind"]
    assert isinstance(by_kind, dict)
    for kind, recall in by_kind.items():
        print(f"  {kind:<18} recall {recall}")


if __name__ == "__main__":
    main()
