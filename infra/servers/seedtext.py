"""Invented Swedish and Norwegian forum talk about a made-up telecom, Fjelltele. Deterministic; the standard library only.

As a program it prints `threads()` as JSON.
"""

import datetime as dt
import json
import random
import sys
from typing import Any

USERS = [
    "astrid_b",
    "kalle72",
    "Ingunn",
    "mikaelo",
    "sørlending",
    "fjällräven_fan",
    "tove.h",
    "perolof",
    "guro_n",
    "linn-e",
]
SV = [
    "Fjelltele har varit nere hela morgonen i Östersund, någon mer som märkt det?",
    "Bytte från en annan operatör till Fjelltele i våras och täckningen är klart bättre ute på ön.",
    "Kundtjänsten svarade efter 48 minuter. Helt oacceptabelt, Fjelltele!",
    "Jag är nöjd med Fjelltele – 5G fungerar jättebra i Åre och priset är rimligt.",
    "Fakturan blev 349 kr i stället för 249 kr, har ni också fått fel belopp?",
    "Nån som vet när fibern från Fjelltele är inkopplad på Södermalm?",
    'Haha, "världens bästa nät" säger reklamen… eller inte 😂',
    "Det är inte Fjelltele det är fel på utan min gamla router, löst nu. Tack för hjälpen!",
    "Uppsägningstiden är tre månader enligt avtalet, läs det finstilta.",
    "Appen kraschar på Android 14 sedan uppdateringen i går kväll.",
]
NO = [
    "Fjelltele har vært nede i hele formiddag her i Tromsø, er det flere som merker det?",
    "Byttet til Fjelltele i fjor og dekningen på hytta er mye bedre nå.",
    "Ventet 55 minutter på kundeservice hos Fjelltele. Helt håpløst!",
    "Veldig fornøyd med Fjelltele, raskt nett og hyggelig kundeservice på chatten.",
    "Fikk regning på 499 kr selv om tilbudet var 299 kr. Noen som har fått tilbake pengene?",
    "Vet noen når Fjelltele bygger ut fiber på Grünerløkka?",
    "«Norges beste nett» sier reklamen, ja særlig 😅",
    "Det var ruteren min som var problemet, ikke Fjelltele. Takk for hjelpen!",
    "Bindingstiden er tolv måneder, les vilkårene før du signerer.",
    "Appen krasjer på iPhone etter oppdateringen i går.",
]
TITLES = [
    ("sv", "Fjelltele nere igen? Driftstörning Östersund", 75),
    ("nb", "Fjelltele: dekning i Nord-Norge – erfaringer", 40),
    ("sv", "Fel på fakturan från Fjelltele (349 kr)", 32),
    ("nb", "Kundeservice hos Fjelltele, hvor lenge venter dere?", 30),
    ("sv", "Fjelltele fiber på Södermalm – när kommer den?", 30),
    ("nb", "Ny app fra Fjelltele krasjer på iPhone & Android", 30),
]
START = dt.datetime(2026, 1, 12, 7, 30, tzinfo=dt.UTC)


def threads(scale: float = 1) -> list[dict[str, Any]]:
    """[{title, lang, posts: [{author, when (UTC), text}]}]; `scale` shortens every thread."""
    rnd = random.Random(7)
    out: list[dict[str, Any]] = []
    for ti, (lang, title, n) in enumerate(TITLES):
        pool, when, posts = (SV if lang == "sv" else NO), START + dt.timedelta(days=9 * ti), []
        for i in range(max(3, int(n * scale))):
            posts.append(
                {
                    "author": USERS[rnd.randrange(len(USERS))],
                    "when": when,
                    "text": f"{pool[(i + ti) % len(pool)]} {pool[rnd.randrange(len(pool))]} (inlägg {i + 1})",
                }
            )
            when += dt.timedelta(minutes=rnd.randrange(3, 600))
        out.append({"title": title, "lang": lang, "posts": posts})
    return out


if __name__ == "__main__":
    json.dump(threads(), sys.stdout, default=lambda d: d.isoformat(), ensure_ascii=False, indent=1)
