"""The crisis of the demo: money drawn twice. When each of its posts is written, and by whom. Pure; chance comes in as `rng`."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

from console.demo.days import Regulars
from console.demo.texts import CrisisThread
from console.demo.writing import Author, Crowd, Draft, DraftPost, fill, in_habit, time_words

LENGTH = timedelta(hours=4, minutes=45)
OFFICIAL = "FjellteleKundservice"
"""The company's own account: not a customer's voice."""

STAGES = ((0, 75), (75, 135), (135, 180), (180, 225), (225, 285))
"""From and to, in minutes since it began; the last stage is the last hour."""
RISE = 0.75
"""Below 1: within a stage the posts come faster and faster."""
REGULAR_VOICES = 0.2


def write_crisis(
    threads: tuple[CrisisThread, ...],
    drafts: list[Draft],
    began: datetime,
    zone: ZoneInfo,
    regulars: Mapping[str, Regulars],
    crowd: Crowd,
    rng: Random,
) -> None:
    """Adds the posts of the crisis to `drafts`: to the threads of the same title, else to new ones."""
    at_work = [_draft_of(thread, drafts) for thread in threads]
    heard: set[str] = set()
    for number, (first, last) in enumerate(STAGES, start=1):
        order = _interleave(threads, number, rng)
        for place, (index, mood, text) in enumerate(order):
            share = 0.0 if number == 1 and place == 0 else (place + rng.uniform(0.3, 0.9)) / len(order)
            at = began + timedelta(seconds=int(60 * (first + (last - first) * share**RISE)))
            draft = at_work[index]
            author = _author(mood, draft.language, regulars, crowd, heard, rng)
            words = time_words(at.astimezone(zone), draft.language, rng)
            habit = author.habit if author.habit in ("lower", "ascii") else "plain"
            draft.posts.append(
                DraftPost(at, author.handle, in_habit(fill(text, {}, rng, words), habit, draft.language, rng))
            )
    drafts.extend(draft for draft in at_work if draft not in drafts)


def _draft_of(thread: CrisisThread, drafts: list[Draft]) -> Draft:
    if thread.evergreen:
        return next(draft for draft in drafts if draft.title == thread.title)
    return Draft(thread.title, thread.board, thread.language, brand=True)


def _interleave(threads: tuple[CrisisThread, ...], stage: int, rng: Random) -> list[tuple[int, str, str]]:
    """(thread, mood, text) of one stage: threads mixed at random, each in its own order."""
    keyed = []
    for index, thread in enumerate(threads):
        posts = [(mood, text) for when, mood, text in thread.posts if when == stage]
        keys = sorted(rng.random() for _ in posts)
        keyed += [(key, index, mood, text) for key, (mood, text) in zip(keys, posts, strict=True)]
    return [(index, mood, text) for _, index, mood, text in sorted(keyed)]


def _author(
    mood: str, language: str, regulars: Mapping[str, Regulars], crowd: Crowd, heard: set[str], rng: Random
) -> Author:
    """Those who are hurt are mostly people who never wrote here before; no one of them speaks twice."""
    if mood == "official":
        return Author(OFFICIAL)
    old_hand = mood in ("calm", "joke") or rng.random() < REGULAR_VOICES
    author = regulars[language].one() if old_hand else crowd.newcomer(language)
    while author.handle in heard:
        author = crowd.newcomer(language)
    heard.add(author.handle)
    return author
