"""How much 10,000 queries cost compared with 100.

Realistic brand queries (names, phrases, prefixes, NEAR, lists with OR, NOT) over generated Nordic posts, most
of which match few. The posts are cut into words beforehand, as the intake shares that work between stages;
building the documents is counted.
"""

import argparse
import json
import random
import statistics
import sys
import time

from listener.query import Document, Matcher, parse
from listener.text import Words, tokenise

_SYLLABLES = """
bra nor tel dan fjo vik ska lun mar kar sol ber hav kro sta lin gro ros ei hel tor eng fri vind fisk ost
rum bil hem dal sjö øst ny alt kop pan ram lek tri von åk äng ljus
"""
_STEMS = """
försening inställ krångl kundtjänst leverans avbeställ ombokning återbetal strejk haver forsink innstill
kundeservice aflyst klage bestilling peruu myöhäs asiakaspalvelu delay cancel refund complain
"""
_TOPICS = """
tåg buss bank app faktura abonnemang pris bredband paket resa tog billett strøm butikk regning kurv netto
juna lippu lasku verkko hinta train ticket invoice parcel
"""
_FILLER = """
och att det i på är som en för av inte har jag var vi de så kan när om men nu till med ett hele dagen
igjen ingen svarer hvorfor skal jeg vente aina taas sama juttu odotan why is this still not working today
någon annan som vet hur man gör fick svar efter två timmar ringte dem tre gange nettet er nede hos oss jo
virker ikke mere tack hjälp morgon kväll vecka helg barn jobb hem stad perrong väska pengar konto kort
telefon mejl brev person
"""
SYLLABLES, STEMS, TOPICS, FILLER = (words.split() for words in (_SYLLABLES, _STEMS, _TOPICS, _FILLER))


def brands(random_: random.Random, count: int) -> list[str]:
    """Distinct made-up names, one in ten of two words."""
    names: dict[str, None] = {}
    while len(names) < count:
        name = "".join(random_.sample(SYLLABLES, random_.choice((2, 3, 3))))
        names[f"{name} {random_.choice(TOPICS)}" if random_.random() < 0.1 else name] = None
    return list(names)


def query(random_: random.Random, name: str) -> str:
    """One brand's query, of a kind that people write."""
    said = f'"{name}"' if " " in name else name
    stem, other, topic = random_.choice(STEMS), random_.choice(STEMS), random_.choice(TOPICS)
    kinds = (
        said,
        f"{said} OR #{name.split()[0]} OR @{name.split()[0]}",
        f"{said} AND ({stem}* OR {other}* OR {topic})",
        f"{said} NEAR/8 ({stem}* OR {topic})",
        f"{said} -jobb -praktik NOT site:example.org",
        f'"{name} {topic}" OR "{topic} hos {name}"',
        f"{name.split()[0]}* {topic}*",
        f"({said} OR {topic}{name.split()[0][:5]}*) NOT ({stem}* {other}*) lang:sv",
        f'{said} AND ({stem}* NEAR/5 {topic} OR "{topic} {random_.choice(FILLER)}")',
    )
    return random_.choice(kinds)


def post(random_: random.Random, names: list[str]) -> str:
    """About 30 words; a third of the posts name one brand, some two."""
    words = random_.choices(FILLER, k=random_.randint(16, 40))
    words += random_.choices(TOPICS, k=2)
    words += [random_.choice(STEMS) + random_.choice(("", "en", "er", "ar", "s"))] * random_.randint(0, 1)
    words += random_.sample(names, random_.choice((0, 0, 0, 0, 1, 1, 2)))
    random_.shuffle(words)
    return " ".join(words).capitalize() + random_.choice((".", "!", "?", " #kundtjänst", ""))


def microseconds_per_post(matcher: Matcher, posts: list[tuple[str, Words]], rounds: int) -> tuple[float, int]:
    """Processor time with building the documents, the best of `rounds`; and the number of matches."""
    best, matches = float("inf"), 0
    for _ in range(rounds):
        start = time.process_time()
        matches = sum(len(matcher.match(Document.of(text=text, words=words))) for text, words in posts)
        best = min(best, time.process_time() - start)
    return best / len(posts) * 1e6, matches


def measure(*, few: int, many: int, posts: int, rounds: int, seed: int) -> dict[str, float]:
    random_ = random.Random(seed)
    names = brands(random_, many)
    queries = {name: [parse(query(random_, name))] for name in names}
    texts = [post(random_, names) for _ in range(posts)]
    start = time.process_time()
    cut = [(text, tokenise(text)) for text in texts]
    tokenising = (time.process_time() - start) / posts * 1e6
    start = time.process_time()
    large = Matcher(queries)
    building = time.process_time() - start
    small = Matcher({name: queries[name] for name in names[:few]})
    small_cost, small_matches = microseconds_per_post(small, cut, rounds)
    large_cost, large_matches = microseconds_per_post(large, cut, rounds)
    return {
        "few_queries": few,
        "many_queries": many,
        "posts": posts,
        "words_per_post": round(statistics.mean(len(words.words) for _, words in cut), 1),
        "tokenise_us_per_post": round(tokenising, 2),
        "few_us_per_post": round(small_cost, 2),
        "many_us_per_post": round(large_cost, 2),
        "few_posts_per_s": round(1e6 / small_cost),
        "many_posts_per_s": round(1e6 / large_cost),
        "ratio": round(large_cost / small_cost, 2),
        "few_matches": small_matches,
        "many_matches": large_matches,
        "build_many_s": round(building, 3),
    }


def main() -> int:
    """Prints a table, or one JSON object with --json; exit 0."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="example: python -m benchmarks.matching --many 10000 --posts 5000 --json",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--few", type=int, default=100, help="queries in the small set (default 100)")
    parser.add_argument("--many", type=int, default=10_000, help="queries in the large set (default 10,000)")
    parser.add_argument("--posts", type=int, default=5_000, help="posts (default 5,000)")
    parser.add_argument("--rounds", type=int, default=5, help="the best of so many counts (default 5)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    given = parser.parse_args()
    if not (1 <= given.few <= given.many and given.posts > 0 and given.rounds > 0):
        parser.error("want 1 <= --few <= --many, and --posts and --rounds of at least 1")
    result = measure(few=given.few, many=given.many, posts=given.posts, rounds=given.rounds, seed=given.seed)
    if given.json:
        print(json.dumps(result))
    else:
        for name, value in result.items():
            print(f"{name:>22}  {value:,}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
