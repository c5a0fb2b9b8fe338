"""Which page of a forum to read next, and what to keep of one just read. No I/O: the spider fetches, the sink stores.

The frontier holds one row per page. The row of a thread's first page (its head) carries the marker that the list showed when
the thread was last read to its end: the same marker means nothing new. A row is handed over together with its posts, never
before, so a crawl may be killed at any instant.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from listener.ports import Batch, Page
from listener.post import Post, plausible_time, post_id
from spiders.collector import Context
from spiders.forum.addresses import canonical, looks_like_topic, page_number, thread_key
from spiders.forum.feed_hints import Hint
from spiders.forum.plan import (
    ALIAS,
    FEED,
    FINISHED,
    LIST,
    MAX_THREAD_PAGES,
    OTHER,
    THREAD,
    WEAK,
    Ask,
    Progress,
    Step,
    instant,
    is_under,
    native_id,
    print_of,
    reread_after,
)
from spiders.forum.view import Kind, PageView, PostView, ThreadLink

Remember = Callable[..., Page]
"""`ListeningSpider.remember` for the response at hand."""
MakePost = Callable[..., Post | None]


class Walk:
    """One walk over one forum. `pending` counts the pages asked for and not yet answered."""

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
        self._lists_read = 0
        self._broken = False
        self.pending = 0

    # ------------------------------------------------------------------------------------------- begin and end

    def begin(self, addresses: Iterable[str]) -> Step:
        conditional = self.finished_before and not self._context.recheck
        step = Step(batch=Batch(notes={self._note: "walking"}))
        for address in addresses:
            url = canonical(address) or address
            rows = self._rows(thread_key(url))
            if rows and rows[0].role == THREAD and not self._context.recheck:  # the source is a single thread
                self._lists_read += 1
                self._continue(thread_key(url), rows, ThreadLink(url=url, title=""), step, changed=False)
            else:
                self._ask(step, Ask(url=url, conditional=conditional))
        return step

    def end(self) -> Batch | None:
        """After the last page: the note that this walk was finished; None when a list could not be read."""
        if self.pending or self._broken or not self._lists_read:
            return None
        return Batch(notes={self._note: f"done {self._context.now.isoformat()}"})

    def _ask(self, step: Step, *asks: Ask) -> None:
        """Never the same page twice in a run."""
        for ask in asks:
            if ask.url and ask.url not in self._asked:
                self._asked.add(ask.url)
                self.pending += 1
                step.asks.append(ask)

    # ------------------------------------------------------------------------------------------- pages read

    def read(self, ask: Ask, view: PageView, remember: Remember) -> Step:
        """A page that was answered with 200."""
        self.pending -= 1
        step = Step()
        if view.kind in {Kind.THREAD, Kind.BOTH}:
            self._read_thread(ask, view, remember, step)
        if view.kind in {Kind.LIST, Kind.BOTH}:
            self._read_list(ask, view, remember, step)
        elif view.kind is Kind.THREAD and ask.depth == 0 and not ask.thread:
            self._lists_read += 1
            self._ask_due(step)
        if view.kind in {Kind.LOGIN, Kind.NEITHER}:
            self._not_understood(ask, view, remember, step)
        return step

    def unchanged(self, ask: Ask, remember: Remember) -> Step:
        """A page that was answered with 304."""
        self.pending -= 1
        step = Step()
        state = self._threads.get(ask.thread)
        if ask.role == THREAD and state is not None:
            step.batch.pages.append(
                remember(role=THREAD, thread=ask.thread, number=_known_number(self._context, ask.url))
            )
            self._go_on(ask.thread, state, "", [], step)
            return step
        self._lists_read += 1
        known = self._context.frontier.get(self._source, ask.url)
        if known is not None:
            row = remember(
                role=known.role, thread=known.thread, number=known.number, marker=ask.marker or known.marker
            )
            step.batch.pages.append(row)
        self._ask_due(step)
        return step

    def failed(self, ask: Ask, status: int, words: str, remember: Remember) -> Step:
        """A page that could not be had. Gone threads are given up; anything else is tried again by the next run."""
        self.pending -= 1
        step = Step(warnings=[f"{ask.url}: {words}"])
        rows = self._rows(ask.thread)
        gone = status in {404, 410}
        if ask.role == THREAD and gone and rows and ask.url != rows[0].url:
            step.batch.pages.append(
                remember(role=THREAD, thread=ask.thread, number=_known_number(self._context, ask.url))
            )
            self._restart(ask.thread, rows[0], step)  # the thread has fewer pages than it had
            return step
        elif gone and rows and rows[0].role == THREAD and self._lists_read:
            step.batch.thread_complete.append((ask.thread, frozenset()))
            step.warnings = []
        elif ask.role in {LIST, ""} and not ask.thread:
            self._broken = True
        state = self._threads.get(ask.thread)
        if state is not None:
            state.whole = False
        row = remember(
            role=ask.role or (rows[0].role if rows else OTHER),
            thread=ask.thread or thread_key(ask.url),
            number=_known_number(self._context, ask.url),
        )
        step.batch.pages.append(row)
        return step

    def hinted(self, ask: Ask, hints: Sequence[Hint]) -> Step:
        """A feed of comments: which threads have something newer than what we read."""
        self.pending -= 1
        step = Step()
        newest: dict[str, datetime] = {}
        for hint in hints:
            key = thread_key(hint.url)
            newest[key] = max(hint.at, newest.get(key, hint.at))
        complete = (
            bool(hints) and self._finished_at is not None and min(h.at for h in hints) <= self._finished_at
        )
        for key, link in self._weak.items():
            rows = self._rows(key)
            known = max((at for r in rows for at in (r.newest_post_at, r.fetched_at) if at), default=None)
            changed = key in newest and (known is None or newest[key] > known)
            if rows and (changed or not complete):
                self._continue(key, rows, link, step, changed=changed)
        return step

    # ------------------------------------------------------------------------------------------- lists

    def _read_list(self, ask: Ask, view: PageView, remember: Remember, step: Step) -> None:
        self._lists_read += 1
        fresh, unseen = False, False
        for link in view.threads:
            key = thread_key(link.url)
            if key in self._listed or not self._inside(link):
                continue
            unseen = True
            self._listed.add(key)
            fresh = self._follow(key, link, ask, step) or fresh
        row = remember(role=LIST, thread=view.thread, number=view.number, marker=ask.marker or FINISHED)
        step.batch.pages = [page for page in step.batch.pages if page.url != row.url] + [row]
        goes_on = fresh or not self.finished_before or self._context.recheck
        if unseen and goes_on and view.next_url:
            self._ask(
                step, replace(ask, url=view.next_url, role=LIST, thread="", marker="", conditional=False)
            )
        if self._weak and self.finished_before and view.feeds:
            self._ask(step, Ask(url=view.feeds[0], role=FEED))
        self._ask_due(step)

    def _inside(self, link: ThreadLink) -> bool:
        """Lists outside the source's own path are not followed; threads are, wherever on the host they live."""
        return looks_like_topic(link.url) or link.strong or is_under(self._context.source.address, link.url)

    def _follow(self, key: str, link: ThreadLink, parent: Ask, step: Step) -> bool:
        """Ask for what a link leads to, unless it has not changed; returns whether it was new or changed."""
        rows = self._rows(key)
        ask = Ask(
            url=link.url,
            thread=key,
            marker=link.marker,
            title=link.title,
            depth=parent.depth + 1,
            above=parent.above | {thread_key(parent.url)},
        )
        if not rows or rows[0].state == "gone":
            if parent.depth >= self._depth and not looks_like_topic(link.url) and not link.strong:
                return False
            self._ask(step, ask)
            return True
        head = rows[0]
        same = head.marker == (link.marker or FINISHED)
        if head.role != THREAD:
            if (
                same
                and self.finished_before
                and not self._context.recheck
                and (link.marker or head.role != LIST)
            ):
                return False
            self._ask(step, ask)
            return not same
        if self._context.recheck:
            self._restart(key, head, step, marker=link.marker)
            return True
        if same and not link.strong:
            self._weak[key] = link
        if same:
            return False
        self._continue(key, rows, link, step, changed=True)
        return True

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
            (p.published_at for p in view.posts if p.published_at and p.published_at <= self._context.now),
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

    # ------------------------------------------------------------------------------------------- the rest

    def _not_understood(self, ask: Ask, view: PageView, remember: Remember, step: Step) -> None:
        rows = self._rows(ask.thread)
        if ask.thread and rows and rows[0].role == THREAD:
            what = "asks for a log-in now" if view.kind is Kind.LOGIN else "shows no posts any more"
            step.warnings.append(f"{ask.url}: {what}; nothing was deleted")
            return
        if view.kind is Kind.LOGIN:
            step.warnings.append(f"{ask.url}: asks for a log-in; not read")
        if ask.role == LIST and not ask.thread:
            return  # an empty last page of a list
        role = OTHER
        step.batch.pages.append(
            remember(role=role, thread=ask.thread or thread_key(ask.url), marker=ask.marker or FINISHED)
        )

    def _rows(self, thread: str) -> list[Page]:
        """What the frontier knows of a thread or list, its head first."""
        rows = self._context.frontier.of_thread(self._source, thread) if thread else []
        return sorted(rows, key=lambda row: (row.number, len(row.url)))


def _known_number(context: Context, url: str) -> int:
    known = context.frontier.get(context.source.id, url)
    return known.number if known else 1
