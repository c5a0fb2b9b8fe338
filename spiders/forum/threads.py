"""How the threads of a forum are read: from the start or on from where we left off, to the end, and then written down as read.

The frontier holds one row per page. The row of a thread's first page (its head) carries the marker that the list showed when
the thread was last read to its end: the same marker means nothing new. A row is handed over together with its posts, never
before, so a crawl may be killed at any instant.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from listener.ports import Page
from listener.post import Post, plausible_time, post_id
from spiders.collector import Context
from spiders.forum.addresses import page_number, thread_key
from spiders.forum.plan import (
    AHEAD,
    ALIAS,
    FINISHED,
    MAX_THREAD_PAGES,
    THREAD,
    WEAK,
    Ask,
    Progress,
    Step,
    instant,
    native_id,
    print_of,
    reread_after,
)
from spiders.forum.view import PageView, PostView, ThreadLink

Remember = Callable[..., Page]
"""`ListeningSpider.remember` for the response at hand."""
MakePost = Callable[..., Post | None]


class Threads:
    """The threads of one walk. `pending` counts the pages asked for and not yet answered."""

    def __init__(self, context: Context, make_post: MakePost, *, depth: int) -> None:
        self._context, self._source, self._make_post, self._depth = (
            context,
            context.source.id,
            make_post,
            depth,
        )
        self._note = f"walk:{self._source}"
        said = context.noted(self._note)
        self.finished_before = said.startswith("done")
        self._finished_at = instant(said.removeprefix("done").strip())
        self._asked: set[str] = set()
        self._listed: set[str] = set()
        self._threads: dict[str, Progress] = {}
        self._prints: dict[str, str] = {}
        self._weak: dict[str, ThreadLink] = {}
        self._due_asked = False
        self._looked = 0
        self._lists_read = 0
        self._broken = False
        self.pending = 0
        self.place = context.noted(f"place:{self._source}")
        """Where posts were found on pages that held several."""

    def _ask(self, step: Step, *asks: Ask) -> None:
        """Never the same page twice in a run."""
        for ask in asks:
            if ask.url and ask.url not in self._asked:
                self._asked.add(ask.url)
                self.pending += 1
                step.asks.append(ask)

    def _rows(self, thread: str) -> list[Page]:
        """What the frontier knows of a thread or list, its head first."""
        rows = self._context.frontier.of_thread(self._source, thread) if thread else []
        return sorted(rows, key=lambda row: (row.number, len(row.url)))

    # ------------------------------------------------------------------------------------------- threads

    def _continue(
        self, key: str, rows: Sequence[Page], link: ThreadLink, step: Step, *, changed: bool
    ) -> None:
        """Read a known thread on, from the last page that we know."""
        if key in self._threads:
            return
        unread = [row for row in rows if row.state == "new"]  # the last run ended before it came to this page
        last = (unread[:1] or [row for row in rows if row.state == "ok"][-1:] or [rows[0]])[0]
        newest = max((row.newest_post_at for row in rows if row.newest_post_at), default=None)
        self._threads[key] = Progress(
            marker=link.marker,
            head=rows[0],
            from_start=last.url == rows[0].url,
            known_newest=newest,
            changed=changed,
        )
        self._ask(
            step,
            Ask(
                url=last.url,
                role=THREAD,
                thread=key,
                marker=link.marker,
                title=link.title,
                conditional=last.state == "ok",
            ),
        )

    def _restart(self, key: str, head: Page, step: Step, *, marker: str = "") -> None:
        """Read a known thread again from its first page: what is no longer there was deleted."""
        state = self._threads.get(key)
        if state is None:
            state = self._threads[key] = Progress(marker=marker or head.marker, head=head)
        state.from_start = True
        self._ask(step, Ask(url=head.url, role=THREAD, thread=key, marker=state.marker))

    def _ask_due(self, step: Step) -> None:
        """Threads whose time to be read again has come, within a tenth of what we know of this forum."""
        if self._due_asked:
            return
        self._due_asked = True
        context = self._context
        known = context.frontier.count(self._source)
        budget = known if context.recheck else min(max(1, known // 10), max(1, context.source.max_pages // 5))
        for page in context.frontier.due(self._source, context.now, budget):
            rows = self._rows(page.thread)
            if (
                page.role == THREAD
                and rows
                and len(rows) <= max(budget, 1)
                and page.thread not in self._threads
            ):
                budget -= len(rows)
                self._restart(page.thread, rows[0], step)

    def _read_thread(self, ask: Ask, view: PageView, remember: Remember, step: Step) -> None:
        key = view.thread
        if ask.thread and ask.thread != key:
            alias = remember(role=ALIAS, thread=ask.thread, marker=ask.marker or FINISHED)
            step.batch.pages.append(replace(alias, url=f"{alias.url}#alias"))
            if key in self._threads:
                return
        twin = self._prints.setdefault(print_of(view), key)
        if twin != key:
            step.batch.pages.append(remember(role=ALIAS, thread=key, marker=ask.marker or FINISHED))
            return
        state = self._threads.setdefault(
            key, Progress(marker=ask.marker, from_start=view.number == 1 or ask.role != THREAD)
        )
        state.pages += 1
        new = [post for post in view.posts if post.native_id not in state.ids]
        state.ids.update(post.native_id for post in new)
        step.batch.posts += self._posts(key, view, ask, new)
        newest = max(
            (
                p.published_at
                for p in view.posts
                if p.published_at and p.published_at <= self._context.now + AHEAD
            ),
            default=None,
        )
        state.newest = max(filter(None, (state.newest, newest)), default=None)
        first = state.head is None or state.head.url == ask.url
        row = remember(
            role=THREAD,
            thread=key,
            number=view.number,
            marker=state.head.marker if first and state.head else "",
            newest=newest,
        )
        if first:
            state.head = row
        step.batch.pages.append(row)
        goes_on = bool(new) and state.pages < MAX_THREAD_PAGES
        state.whole = state.whole and goes_on
        self._go_on(key, state, view.next_url if goes_on else "", view.others if goes_on else [], step)

    def _go_on(self, key: str, state: Progress, next_url: str, others: Sequence[str], step: Step) -> None:
        """Ask for the thread's next page, or write down that it was read to its end."""
        step_asks = len(step.asks)
        known = set() if state.from_start else {row.url for row in self._rows(key) if row.state == "ok"}
        state.waiting += [url for url in others if url not in known]
        for url in [next_url, *state.waiting]:
            if url and thread_key(url) == key and len(step.asks) == step_asks:
                self._ask(step, Ask(url=url, role=THREAD, thread=key, marker=state.marker))
        if len(step.asks) > step_asks:
            url = step.asks[-1].url
            if self._context.frontier.get(self._source, url) is None:
                row = Page(source=self._source, url=url, role=THREAD, thread=key, number=page_number(url))
                step.batch.pages.append(row)
            return
        head = state.head
        older = (
            state.changed
            and not state.from_start
            and state.known_newest
            and (state.newest is None or state.newest <= state.known_newest)
        )
        if older and head is not None and head.url not in self._asked:
            self._restart(key, head, step)  # something changed, but not at the end
            return
        self._finish(key, state, step)

    def _finish(self, key: str, state: Progress, step: Step) -> None:
        head = state.head
        if head is None:
            return
        newest = max(filter(None, (state.newest, state.known_newest, head.newest_post_at)), default=None)
        weak = state.marker in {"", FINISHED} or state.marker.startswith(WEAK)
        marker = state.marker or FINISHED
        done = replace(
            head,
            marker=marker,
            newest_post_at=newest,
            next_at=reread_after(newest, self._context.now, forever=weak),
        )
        step.batch.pages = [page for page in step.batch.pages if page.url != done.url] + [done]
        if state.from_start and state.whole:
            self._complete(key, state, step)

    def _complete(self, key: str, state: Progress, step: Step) -> None:
        """Everything of the thread was seen: what we hold besides is gone, unless that is suspiciously much."""
        held = self._context.held(key)
        seen = {post_id(self._source, native_id(key, i)) for i in state.ids}
        if held and len(held & seen) * 2 < len(held):
            step.warnings.append(
                f"{state.head.url if state.head else key}: shows fewer than half of the posts we hold "
                f"of it; nothing was deleted"
            )
            return
        step.batch.thread_complete.append((key, frozenset(native_id(key, i) for i in state.ids)))

    def _posts(self, key: str, view: PageView, ask: Ask, posts: Iterable[PostView]) -> list[Post]:
        now = self._context.now
        made = (
            self._make_post(
                source=self._source,
                native_id=native_id(key, post.native_id),
                url=post.permalink or view.url,
                author=post.author,
                text=post.text,
                title=view.title or ask.title,
                thread=key,
                published_at=plausible_time(post.published_at, now),
                edited_at=post.edited_at,
            )
            for post in posts
        )
        return [post for post in made if post is not None]
