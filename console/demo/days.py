"""Five ordinary weeks of the forum: who writes when, in which thread, in what mood. Pure; chance comes in as `rng`."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

from console.demo.texts import Line, Texts, Topic
from console.demo.writing import Author, Crowd, Draft, DraftPost, fill, in_habit

POSTS = 1740
BRAND_SHARE = 0.52
SWEDISH_SHARE = 0.6
NEW_THREAD = 0.045
ASIDE = 0.2
SHORT = 70
REST = timedelta(days=9)
"""After that nobody returns to an ordinary thread."""

WEEKDAY = (3, 2, 1, 1, 1, 2, 6, 12, 16, 18, 20, 26, 30, 24, 20, 21, 24, 28, 34, 42, 44, 36, 22, 9)
WEEKEND = (6, 4, 2, 1, 1, 1, 2, 5, 11, 19, 26, 30, 30, 28, 26, 25, 26, 27, 30, 34, 36, 31, 23, 13)
"""How much people write in each local hour."""


class Regulars:
    """Those who write here in one language: few write often, many seldom."""

    def __init__(self, language: str, size: int, crowd: Crowd, rng: Random) -> None:
        self._people = [crowd.newcomer(language) for _ in range(size)]
        self._weights = [(rank + 12) ** -0.7 for rank in range(size)]
        self._rng = rng

    def one(self, besides: str = "") -> Author:
        """Somebody other than `besides`."""
        while True:
            (person,) = self._rng.choices(self._people, weights=self._weights)
            if person.handle != besides:
                return person


class Deck:
    """Templates in shuffled order; one that was used goes back near the bottom."""

    def __init__(self, cards: Sequence[Line], rng: Random) -> None:
        self._cards = rng.sample(cards, len(cards))
        self._rng = rng

    def draw(self, avoid: set[str], tag: str) -> str | None:
        """The next template that is not in `avoid` and fits a thread with that tag; None when there is none."""
        fitting = (card for card in self._cards if _fits(card, tag))
        card = next((card for card in fitting if card.text not in avoid), None)
        if card is not None:
            self._cards.remove(card)
            self._cards.insert(len(self._cards) - self._rng.randrange(len(self._cards) // 4 + 1), card)
        return card.text if card else None


def _fits(line: Line, tag: str) -> bool:
    """Threads without a tag are those for everything: a short answer to one question makes no sense there."""
    if not tag:
        return len(line.tags) != 1 or len(line.text) >= SHORT
    return not line.tags or tag in line.tags


def write_times(start: datetime, end: datetime, zone: ZoneInfo, rng: Random) -> list[datetime]:
    """POSTS instants in [start, end), ascending: the rhythm of local day and week, and more uneven than chance alone."""
    hours = [start + timedelta(hours=n) for n in range(round((end - start) / timedelta(hours=1)))]
    mood: dict[int, float] = {}
    weights = []
    for hour in hours:
        local = hour.astimezone(zone)
        of_day = mood.setdefault(local.toordinal(), rng.gammavariate(14, 1 / 14))
        rhythm = (WEEKDAY if local.weekday() < 5 else WEEKEND)[local.hour]
        weights.append(rhythm * of_day * rng.gammavariate(5, 1 / 5))
    picked = rng.choices(hours, weights=weights, k=POSTS)
    return sorted(hour + timedelta(seconds=rng.randrange(3600)) for hour in picked)


class Forum:
    """The forum while it is written, post by post."""

    def __init__(self, texts: Texts, crowd: Crowd, rng: Random) -> None:
        self.drafts: list[Draft] = []
        self.regulars = {"sv": Regulars("sv", 330, crowd, rng), "nb": Regulars("nb", 190, crowd, rng)}
        self._nynorsk = Regulars("nb", 20, crowd, rng)
        self._texts = texts
        self._rng = rng
        self._topics: dict[int, tuple[Topic, ...]] = {}
        self._decks: dict[tuple[int, str], Deck] = {}
        self._said: set[str] = set()

    def open_standing(self, start: datetime) -> None:
        """The pinned thread and those that go on for weeks."""
        for minutes, standing in enumerate((self._texts.pinned, *self._texts.evergreens)):
            author = standing.author or self.regulars[standing.language].one().handle
            draft = Draft(standing.title, standing.board, standing.language, standing.brand)
            draft.pinned, draft.evergreen = bool(standing.author), not standing.author
            draft.posts.append(DraftPost(start + timedelta(minutes=7 * minutes), author, standing.text))
            akin = [t for t in self._texts.topics if self._akin(t, draft.brand, draft.language)]
            self._add(draft, [t for t in akin if standing.whole_brand or t.board == draft.board])

    def write(self, at: datetime) -> None:
        """One more post: in a thread that is talked in, or in a new one."""
        brand = self._rng.random() < BRAND_SHARE
        language = "sv" if self._rng.random() < SWEDISH_SHARE else "nb"
        if self._rng.random() < NEW_THREAD and self._start(at, brand, language):
            return
        alive = [
            d for d in self.drafts if d.brand == brand and d.language == language and self._talked_in(d, at)
        ]
        weights = [self._pull(draft, at) for draft in alive]
        while alive:
            (index,) = self._rng.choices(range(len(alive)), weights=weights)
            if self._reply(alive[index], at):
                return
            del alive[index], weights[index]
        self._start(at, brand, language)

    @staticmethod
    def _akin(topic: Topic, brand: bool, language: str) -> bool:
        return topic.brand == brand and topic.language == language

    @staticmethod
    def _talked_in(draft: Draft, at: datetime) -> bool:
        return draft.evergreen or (not draft.pinned and at - draft.posts[-1].at < REST)

    @staticmethod
    def _pull(draft: Draft, at: datetime) -> float:
        if draft.evergreen:
            return 1.5
        days_silent = (at - draft.posts[-1].at) / timedelta(days=1)
        return float(len(draft.posts) ** 0.6 * 0.5 ** (days_silent / 1.2))

    def _add(self, draft: Draft, topics: Sequence[Topic]) -> None:
        self.drafts.append(draft)
        self._topics[id(draft)] = tuple(topics)

    def _start(self, at: datetime, brand: bool, language: str) -> bool:
        topics = [topic for topic in self._texts.topics if self._akin(topic, brand, language)]
        for _ in range(12):
            (topic,) = self._rng.choices(topics, weights=[topic.weight for topic in topics])
            start = self._rng.choice(topic.starts)
            slots: dict[str, str] = {}
            title = fill(start.title, self._texts.slots[language], self._rng, slots)
            if any(draft.title == title for draft in self.drafts):
                continue
            author = self.regulars[language].one()
            draft = Draft(title, topic.board, language, brand, tag=start.tag)
            draft.posts.append(DraftPost(at, author.handle, self._typed(start.text, author, language, slots)))
            if "place" in slots:
                draft.slots["there"] = slots["place"]
            self._add(draft, [topic])
            return True
        return False

    def _reply(self, draft: Draft, at: datetime) -> bool:
        topic = self._rng.choice(self._topics[id(draft)])
        mood = self._mood(topic)
        template = self._deck(topic, mood).draw(draft.used, draft.tag)
        if template is None:
            return False
        draft.used.add(template)
        pool = self._nynorsk if mood == "nynorsk" else self.regulars[draft.language]
        author = pool.one(besides=draft.posts[-1].author)
        if mood in ("complaints", "worries") and author.habit == "emoji":
            author = Author(author.handle)
        asides = topic.asides if mood == "replies" else ()
        text = self._typed(template, author, draft.language, draft.slots, asides)
        draft.posts.append(DraftPost(at, author.handle, text))
        return True

    def _mood(self, topic: Topic) -> str:
        shares = (
            ("complaints", 0.13 if topic.brand else 0.06, topic.complaints),
            ("worries", 0.05, topic.worries),
            ("nynorsk", 0.1, topic.nynorsk),
        )
        dice = self._rng.random()
        for mood, share, templates in shares:
            if dice < share and templates:
                return mood
            dice -= share
        return "replies"

    def _deck(self, topic: Topic, mood: str) -> Deck:
        key = (id(topic), mood)
        if key not in self._decks:
            self._decks[key] = Deck(getattr(topic, mood), self._rng)
        return self._decks[key]

    def _typed(
        self, template: str, author: Author, language: str, slots: dict[str, str], asides: Sequence[str] = ()
    ) -> str:
        """The template in the author's words, now and then with a remark added, and always when that avoids saying
        the same as somebody before."""
        values = self._texts.slots[language]
        remark = self._rng.random() < ASIDE
        text = ""
        for attempt in range(6):
            with_aside = asides and (remark or attempt >= 3)
            body = f"{template} {self._rng.choice(asides)}" if with_aside else template
            known = {"there": self._rng.choice(values["place"])} | slots
            text = in_habit(fill(body, values, self._rng, known), author.habit, language, self._rng)
            if text not in self._said:
                break
        self._said.add(text)
        return text
