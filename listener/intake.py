"""The intake: posts in, mentions stored. Clean (done by Post), match, pseudonymise, redact, store; then the frontier moves.

`Intake.take` is the Sink of every collector. What it does may be done twice without harm: ids are derived from source and
native id, storing is create-or-ignore, and tombstones are asked before anything is stored.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import compress
from urllib.parse import urlsplit

from listener import metrics
from listener.config import Brand, Source
from listener.errors import ConfigError
from listener.mention import UNDETERMINED, Mention, Score
from listener.ports import Added, Archive, Batch, IdentifyLanguages, Ledger, Scorer, Tally, Tombstones
from listener.post import Post, post_id
from listener.pseudonym import Pseudonymise
from listener.query import Document, Matcher, normal_author, parse
from listener.redaction import redact

SHORT = 60
"""Characters of a text that may leave its language open."""
FEWEST_FOR_USUAL = 5
"""Posts."""
THREAD_WEIGHT = 4
"""How many posts of the source one of the same thread counts for."""
DELETED_UPSTREAM = "deleted upstream"
RETENTION_ENDED = "retention ended"


@dataclass(frozen=True, slots=True)
class Tools:
    """The pure parts that turn a post into a mention; built once per process."""

    brands: Mapping[str, Brand]
    matcher: Matcher
    pseudonymise: Pseudonymise
    identify: IdentifyLanguages

    @classmethod
    def of(cls, brands: Sequence[Brand], pseudonymise: Pseudonymise, identify: IdentifyLanguages) -> "Tools":
        matcher = Matcher({brand.id: [parse(query) for query in brand.queries] for brand in brands})
        return cls({brand.id: brand for brand in brands}, matcher, pseudonymise, identify)


def matched_brands(post: Post, source: Source, language: str, tools: Tools) -> tuple[str, ...]:
    """The brands that a post is about, sorted. A brand's own accounts are not its customers' voice; a text in a language that the
    brand does not listen to is not for it, an undetermined one always is."""
    document = Document.of(
        title=post.title,
        text=post.text,
        author=post.author,
        site=_host("/".join(post.url.split("/", 3)[:3])),
        channel=source.channel,
        language=language,
        source=source.id,
    )
    found = [tools.brands[key] for key in tools.matcher.match(document)]
    return tuple(sorted([brand.id for brand in found if _listens_to(brand, post, language)]))


def _listens_to(brand: Brand, post: Post, language: str) -> bool:
    if brand.languages and language != UNDETERMINED and language not in brand.languages:
        return False
    author = normal_author(post.author) if brand.accounts else ""
    return not author or author not in {normal_author(account) for account in brand.accounts}


@lru_cache(maxsize=4096)
def _host(origin: str) -> str:
    """Few hosts have many posts."""
    return urlsplit(origin).hostname or ""


def to_mentions(
    posts: Sequence[Post],
    source: Source,
    tools: Tools,
    *,
    retention: timedelta,
    now: datetime,
    scorer: Scorer | None = None,
    held: Container[str] = frozenset(),
) -> list[Mention]:
    """Pure: the mentions that posts make; a post about no brand of ours makes none. With a scorer, those whose id is not `held`
    have their score.

    Each step is done for all posts before the next one: its tables then stay in the processor's cache, which takes a third less
    time than going post by post."""
    languages = _languages(posts, tools.identify)
    brands = [
        matched_brands(post, source, language, tools) for post, language in zip(posts, languages, strict=True)
    ]
    languages = [language for language, found in zip(languages, brands, strict=True) if found]
    posts = [post for post, found in zip(posts, brands, strict=True) if found]
    titles = [redact(post.title) for post in posts]
    texts = [redact(post.text) for post in posts]
    authors = [tools.pseudonymise(source.id, post.author) for post in posts]
    new = [post.id not in held for post in posts]
    scores = _scores(list(zip(texts, languages, strict=True)), new, scorer)
    return [
        Mention(
            id=post.id,
            source=source.id,
            kind=source.kind,
            channel=source.channel,
            owned=source.owned,
            url=post.url,
            author=author,
            title=title,
            text=text,
            language=language,
            brands=found,
            published_at=post.published_at,
            fetched_at=now,
            retention_until=now + retention,
            thread=post.thread,
            engagement=post.engagement,
            score=score,
        )
        for post, author, title, text, language, found, score in zip(
            posts, authors, titles, texts, languages, filter(None, brands), scores, strict=True
        )
    ]


def _languages(posts: Sequence[Post], identify: IdentifyLanguages) -> list[str]:
    """Of each post; short ones, which could be in several, are read again knowing what is usual among those that came with
    them, the same thread's above all."""
    languages = identify([post.text for post in posts], None)
    source = Counter(language for language in languages if language != UNDETERMINED)
    short = [at for at, post in enumerate(posts) if len(post.text) < SHORT]
    if not short or source.total() < FEWEST_FOR_USUAL:
        return languages
    threads: dict[str, Counter[str]] = defaultdict(Counter)
    for post, language in zip(posts, languages, strict=True):
        if post.thread and language != UNDETERMINED:
            threads[post.thread][language] += THREAD_WEIGHT
    usual = [source + threads[posts[at].thread] for at in short]
    priors = [{its: count / counts.total() for its, count in counts.items()} for counts in usual]
    for at, language in zip(short, identify([posts[at].text for at in short], priors), strict=True):
        languages[at] = language
    return languages


def _scores(
    texts: Sequence[tuple[str, str]], wanted: Sequence[bool], scorer: Scorer | None
) -> list[Score | None]:
    """Whatever the scorer does, the posts are stored: what has no score is scored by its own stage later, and an error is met
    there."""
    nothing: list[Score | None] = [None] * len(texts)
    if scorer is None:
        return nothing
    began = time.perf_counter()
    try:
        scores = scorer.score(list(compress(texts, wanted)))
    except Exception:  # noqa: BLE001 (it may be any model; storing comes first)
        return nothing
    metrics.scored(scorer.model, len(scores), time.perf_counter() - began)
    left = iter(scores)
    return [next(left, None) if is_wanted else None for is_wanted in wanted]


class Intake:
    """Stores what one source's collector hands over, and counts it. With a scorer, new mentions are stored with their score;
    edited ones and those without are scored by the stage that scores."""

    def __init__(
        self,
        source: Source,
        tools: Tools,
        archive: Archive,
        ledger: Ledger,
        *,
        clock: Callable[[], datetime],
        listener: Callable[[Tally], None] | None = None,
        scorer: Scorer | None = None,
    ) -> None:
        if source.policy is None:
            raise ConfigError(
                f"source {source.id}: has no policy, so nothing of it may be stored; "
                "want [sources.policy] with basis, retention and deletions"
            )
        self._retention = source.policy.retention
        self._source, self._tools, self._archive, self._ledger = source, tools, archive, ledger
        self._clock, self._listener, self._scorer = clock, listener, scorer
        self.tally = Tally()

    def take(self, batch: Batch) -> None:
        """Store the posts, then what follows from them, then the frontier: in this order, so that a crash repeats work but
        loses nothing. Raises StoreError, and then nothing of the frontier has moved."""
        now = self._clock()
        added, mentions = self.accept(batch.posts, now=now)
        deleted = self._forget(batch, now)
        metrics.MENTIONS.add(self._source.id, "deleted", by=deleted)
        if batch.pages:
            self._ledger.frontier.save(batch.pages)
        for key, value in batch.notes.items():
            self._ledger.note(key, value)
        self.tally = replace(
            self.tally,
            pages=self.tally.pages + len(batch.pages),
            posts=self.tally.posts + len(batch.posts),
            mentions=self.tally.mentions + mentions,
            new=self.tally.new + len(added.new),
            edited=self.tally.edited + len(added.edited),
            deleted=self.tally.deleted + deleted,
        )
        if self._listener:
            self._listener(self.tally)

    def accept(self, posts: Sequence[Post], *, now: datetime) -> tuple[Added, int]:
        """Match and store posts; (what the archive did, how many were mentions). Erased ones stay out; a post that was edited so
        that it is about no brand any more is taken out. Raises StoreError."""
        if not posts:
            return Added((), (), ()), 0
        metrics.POSTS.add(self._source.id, by=len(posts))
        held = self._archive.held(post.id for post in posts)
        mentions = to_mentions(
            posts,
            self._source,
            self._tools,
            retention=self._retention,
            now=now,
            scorer=self._scorer,
            held=held,
        )
        if unmatched := held - {mention.id for mention in mentions}:
            self._archive.erase(unmatched)
        mentions = self._unburied(mentions)
        added = self._archive.add(mentions) if mentions else Added((), (), ())
        self._tell(mentions, added)
        return added, len(mentions)

    def _tell(self, mentions: Sequence[Mention], added: Added) -> None:
        refused = {mention.id for mention in mentions}.difference(added.new, added.edited, added.known)
        ways = {"new": added.new, "edited": added.edited, "known": added.known, "refused": refused}
        for outcome, ids in ways.items():
            metrics.MENTIONS.add(self._source.id, outcome, by=len(ids))

    def _unburied(self, mentions: list[Mention]) -> list[Mention]:
        ids, authors = self._ledger.tombstones.buried(
            ids=[mention.id for mention in mentions],
            authors={mention.author for mention in mentions if mention.author},
        )
        return [mention for mention in mentions if mention.id not in ids and mention.author not in authors]

    def _forget(self, batch: Batch, now: datetime) -> int:
        """Honour deletions upstream: out of the archive, with a tombstone so that a cached page does not bring them back."""
        gone = {post_id(self._source.id, native) for native in batch.gone}
        for thread, seen in batch.thread_complete:
            kept = {post_id(self._source.id, native) for native in seen}
            gone |= self._archive.ids_of_thread(self._source.id, thread) - kept
        held = self._archive.held(gone) if gone else frozenset()
        if held:
            self._ledger.tombstones.bury(ids=held, reason=DELETED_UPSTREAM, now=now)
            self._archive.erase(held)
        return len(held)


def expire(archive: Archive, tombstones: Tombstones, *, now: datetime) -> int:
    """Delete what was kept long enough. A tombstone stays, so that a thread that is still on the web does not bring it back."""
    total = 0
    while ids := archive.expired(now):
        tombstones.bury(ids=ids, reason=RETENTION_ENDED, now=now)
        total += archive.erase(ids)
    return total
