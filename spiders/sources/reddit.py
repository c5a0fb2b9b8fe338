"""Kind `reddit`: new submissions and comments of subreddits and searches, their edits and deletions, through Reddit's
Data API (read-only, application-only OAuth). praw signs in, keeps to the rate limit and tries again.

Reddit lists the newest 1000 entries at most. Each listing is read from the newest down to what the last run saw; its
cursor moves when all of that is stored. Deleted posts must go everywhere (Data API wiki), so what is held of the last
48 hours is asked for again every few hours.
"""

import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import praw
from prawcore import exceptions as refusal

from listener.errors import ConfigError, LyhordError, SourceError, StoreError
from listener.ports import Batch, Tally
from listener.post import post_id
from spiders.collector import Context, Report, read_options
from spiders.egress import Guard
from spiders.egress_session import session
from spiders.reddit.things import created, instant, is_gone, listing, post_values, thread_of

USER_AGENT = "Lyhord/0.1 (+https://github.com/lyhord/lyhord; listens for a brand)"
PAGE = 100
"""Entries of one answer; Reddit gives no more."""
DEPTH = 1000
NEARLY_ALL = 900
"""A listing that ends after so many has reached Reddit's depth, not the subreddit's beginning."""
RECENT = timedelta(hours=48)
RECHECK_EVERY = timedelta(hours=6)
MAX_RECENT = 5000
_SUBREDDIT = re.compile(r"[A-Za-z0-9_]{2,21}")
_SECRETS = {
    "reddit_client_id": "LYHORD_REDDIT_CLIENT_ID",
    "reddit_client_secret": "LYHORD_REDDIT_CLIENT_SECRET",
}

Ask = Callable[[str, Mapping[str, Any]], Any]
"""(path, parameters) → Reddit's answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """`[sources.options]`: at least one subreddit (without "r/") or search; `limit`: entries per listing and run."""

    subreddits: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    limit: int = DEPTH


@dataclass(frozen=True, slots=True)
class Listing:
    """One thing that is read from newest to oldest. `name` in words, and for its cursor."""

    name: str
    path: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


def listings(options: Options) -> list[Listing]:
    """Every listing that the options ask for."""
    found = [
        Listing(f"r/{one} {part}", f"r/{one}/{part}")
        for one in options.subreddits
        for part in ("new", "comments")
    ]
    for words in options.searches:
        asked = {"q": words, "sort": "new", "type": "link", "t": "all"}
        found += [Listing(f"search {words!r}", "search", asked)]
    return found


class RedditReader:
    """One run. Reddit is reached through `ask`; everything read goes to the context's sink page by page."""

    def __init__(self, context: Context, options: Options, ask: Ask) -> None:
        self.context, self.options, self.ask = context, options, ask
        self.report = Report()
        self._prefix = f"reddit/{context.source.id}"
        self._recent = self._read_recent()
        self._seen: set[str] = set()

    def run(self) -> Tally:
        try:
            self._read_all()
            self._recheck()
        except StoreError as e:
            self.report.fail(f"what was read could not be stored: {e}", permanent=e.permanent)
        except SourceError as e:
            self.report.fail(str(e), permanent=e.permanent, retry_after=e.retry_after)
        return self.report.tally()

    def _read_all(self) -> None:
        """One listing that is refused does not cost the others."""
        refused = []
        wanted = listings(self.options)
        for one in wanted:
            try:
                self._read(one)
            except SourceError as e:
                if e.retry_after is not None or not e.permanent:
                    raise
                refused.append(e)
                self.report.warn(str(e))
        if len(refused) == len(wanted):
            raise refused[0]

    def _read(self, one: Listing) -> None:
        key = f"{self._prefix}/{one.name}"
        cursor = float(self.context.noted(key) or 0)
        newest = cursor
        count, met, oldest = 0, False, 0.0
        for things in self._pages(one):
            fresh = [thing for thing in things if created(thing) >= cursor]
            met = len(fresh) < len(things)
            count += len(things)
            newest = max([newest, *map(created, fresh)])
            oldest = created(fresh[-1]) if fresh else oldest
            self._store(fresh)
            if met:
                break
        if cursor and not met and count >= min(self.options.limit, NEARLY_ALL):
            self.report.warn(
                f"{one.name}: posts between {_minute(cursor)} and {_minute(oldest)} may be missing: "
                f"only the newest {count} could be read; read it more often"
            )
        self._sink(Batch(notes={key: repr(newest), f"{self._prefix}/recent": self._recent_note()}))

    def _pages(self, one: Listing) -> Iterator[list[Mapping[str, Any]]]:
        after, count = "", 0
        while count < self.options.limit:
            size = min(PAGE, self.options.limit - count)
            answer = self._ask(
                one.name, one.path, {**one.parameters, "limit": size, "after": after, "count": count}
            )
            things, after = listing(answer)
            count += len(things)
            yield things
            if not after or not things:
                return

    def _recheck(self) -> None:
        """Ask again for what is held of the last 48 hours and did not come by in this run."""
        key, now = f"{self._prefix}/rechecked", self.context.now
        last = self.context.noted(key)
        if not self.context.recheck and last and now - datetime.fromisoformat(last) < RECHECK_EVERY:
            return
        wanted = [name for name in self._held_recent() if name not in self._seen]
        for start in range(0, len(wanted), PAGE):
            names = wanted[start : start + PAGE]
            things, _ = listing(self._ask("edits and deletions", "api/info", {"id": ",".join(names)}))
            self._store(things, missing=set(names) - {thing["name"] for thing in things})
        self._sink(Batch(notes={key: now.isoformat(), f"{self._prefix}/recent": self._recent_note()}))

    def _held_recent(self) -> list[str]:
        held = {
            thread: self.context.held(thread) for thread in {thread for _, thread in self._recent.values()}
        }
        source = self.context.source.id
        return [name for name, (_, thread) in self._recent.items() if post_id(source, name) in held[thread]]

    def _store(
        self, things: Sequence[Mapping[str, Any]], missing: set[str] | frozenset[str] = frozenset()
    ) -> None:
        source, now = self.context.source.id, self.context.now
        gone = [thing["name"] for thing in things if is_gone(thing)]
        posts = [
            self.report.post(**post_values(thing, source, now)) for thing in things if not is_gone(thing)
        ]
        for thing in things:
            self._seen.add(thing["name"])
            self._recent[thing["name"]] = (created(thing), thread_of(thing))
        batch = Batch(posts=[post for post in posts if post is not None], gone=[*gone, *sorted(missing)])
        if batch.posts or batch.gone:
            self._sink(batch)

    def _sink(self, batch: Batch) -> None:
        self.context.sink(batch)
        self.report.stored(batch)

    def _ask(self, what: str, path: str, parameters: Mapping[str, Any]) -> Any:
        try:
            answer = self.ask(path, parameters)
        except (refusal.PrawcoreException, praw.exceptions.PRAWException) as e:
            raise in_words(e, what) from e
        self.report.pages += 1
        return answer

    def _read_recent(self) -> dict[str, tuple[float, str]]:
        note = self.context.noted(f"{self._prefix}/recent")
        return {name: (at, thread) for name, (at, thread) in json.loads(note or "{}").items()}

    def _recent_note(self) -> str:
        since = (self.context.now - RECENT).timestamp()
        young = [(name, seen) for name, seen in self._recent.items() if seen[0] >= since]
        return json.dumps(dict(sorted(young, key=lambda row: row[1][0], reverse=True)[:MAX_RECENT]))


def in_words(error: Exception, what: str) -> LyhordError:
    """What Reddit's refusal means to an operator."""
    original = getattr(error, "original_exception", None)
    if isinstance(original, SourceError):
        return original
    if isinstance(error, refusal.TooManyRequests):
        wait = float(error.retry_after or 60)
        return SourceError(f"{what}: Reddit answered 429 (too many requests)", retry_after=wait)
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", 0)
    lasting = {
        401: f"Reddit answered 401: it does not accept {' and '.join(_SECRETS.values())}",
        403: f"{what}: Reddit answered 403: private, quarantined, or closed to this app",
        404: f"{what}: Reddit answered 404: there is no such subreddit, or it is banned",
        302: f"{what}: there is no such subreddit",
    }
    if isinstance(error, refusal.OAuthException | refusal.InvalidToken):
        status = 401
    if status in lasting:
        return SourceError(lasting[status], permanent=True)
    said = f"answered {status}" if status else "could not be reached"
    return SourceError(f"{what}: Reddit {said} ({type(error).__name__})")


def _minute(seconds: float) -> str:
    at = instant(seconds)
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if at else "the beginning"


class RedditCollector:
    """See `spiders.collector.Collector`. Other addresses than Reddit's are for tests."""

    kind: ClassVar[str] = "reddit"
    options: ClassVar[type] = Options

    def __init__(
        self, *, site: str = "https://www.reddit.com", api: str = "https://oauth.reddit.com"
    ) -> None:
        self._site, self._api = site, api

    def collect(self, context: Context) -> Tally:
        options: Options = read_options(Options, context.source)
        _check(options, context.source.id)
        return RedditReader(context, options, self._connect(context)).run()

    def _connect(self, context: Context) -> Ask:
        if missing := [name for key, name in _SECRETS.items() if not context.secrets.get(key)]:
            raise ConfigError(
                f"source {context.source.id!r}: {' and '.join(missing)} not set; want the id and secret of an app of "
                "type 'script' from reddit.com/prefs/apps, with Reddit's approval for your use"
            )
        logging.getLogger("prawcore").setLevel(logging.ERROR)  # its warnings carry what was searched for
        guard = Guard(address=self._api, allow_private=context.source.allow_private)
        reddit = praw.Reddit(
            client_id=context.secrets["reddit_client_id"],
            client_secret=context.secrets["reddit_client_secret"],
            user_agent=USER_AGENT,
            username=None,
            password=None,
            refresh_token=None,
            reddit_url=self._site,
            oauth_url=self._api,
            check_for_updates=False,
            check_for_async=False,
            requestor_kwargs={"session": session(guard), "timeout": 30.0},
        )
        return lambda path, parameters: reddit.request(method="GET", path=path, params=dict(parameters))


def _check(options: Options, source: str) -> None:
    place = f"source {source!r}, options"
    if not options.subreddits and not options.searches:
        raise ConfigError(f"{place}: got neither subreddits nor searches; want at least one of them")
    for name in options.subreddits:
        if not _SUBREDDIT.fullmatch(name):
            raise ConfigError(f"{place}.subreddits: got {name!r:.40}; want a name without r/, like 'sweden'")
    if not 1 <= options.limit <= DEPTH:
        raise ConfigError(f"{place}.limit: got {options.limit}; want 1 to {DEPTH}")


COLLECTOR = RedditCollector()
