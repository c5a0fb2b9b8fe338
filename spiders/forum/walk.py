"""Which page of a forum to read next, and what to keep of one just read. No I/O: the spider fetches, the sink stores."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from listener.ports import Batch
from spiders.collector import Context
from spiders.forum.addresses import canonical, looks_like_topic, thread_key
from spiders.forum.feed_hints import Hint
from spiders.forum.plan import (
    FEED,
    FINISHED,
    LIST,
    OTHER,
    THREAD,
    Ask,
    Step,
    is_under,
)
from spiders.forum.threads import Remember, Threads
from spiders.forum.view import Kind, PageView, ThreadLink


class Walk(Threads):
    """One walk over one forum: what follows from each answer, and which lists and threads are asked for."""

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

    # ------------------------------------------------------------------------------------------- pages read

    def read(self, ask: Ask, view: PageView, remember: Remember) -> Step:
        """A page that was answered with 200."""
        self.pending -= 1
        step = Step()
        if view.place and view.place != self.place:
            self.place = view.place
            step.batch.notes[f"place:{self._source}"] = view.place
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
        known = self._rows(view.thread)[:1]
        changed = bool(known) and known[0].marker != (ask.marker or FINISHED)
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
        else:
            self._look_into_weak(step, changed=changed)
        self._ask_due(step)

    def _look_into_weak(self, step: Step, *, changed: bool) -> None:
        """Threads whose list tells nothing of new replies: a few, those not looked into for longest; or all of a list of which
        something did change, and no thread says what."""
        budget = (
            len(self._weak)
            if changed
            else max(1, self._context.frontier.count(self._source) // 10) - self._looked
        )
        seen = {
            key: max((row.fetched_at for row in self._rows(key) if row.fetched_at), default=None)
            for key in self._weak
        }
        longest = sorted(self._weak, key=lambda key: str(seen[key] or ""))
        for key in longest[: max(0, budget)]:
            self._looked += 1
            self._continue(key, self._rows(key), self._weak.pop(key), step, changed=False)

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


def _known_number(context: Context, url: str) -> int:
    known = context.frontier.get(context.source.id, url)
    return known.number if known else 1
