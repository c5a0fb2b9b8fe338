"""A small forum whose threads and posts a test changes; markup without a single class."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from html import escape
from urllib.parse import parse_qs, urlsplit

from tests.spiders.loopback import Answer, Asked, Site
from tests.spiders.reading import NOW


@dataclass
class Said:
    number: int
    author: str
    text: str
    at: datetime


@dataclass
class Forum:
    """`threads`: number → posts. `counts`: lists show replies and the last post's time. `session`: put into links."""

    site: Site
    threads: dict[int, list[Said]] = field(default_factory=dict)
    per_page: int = 5
    per_list: int = 10
    counts: bool = True
    session: str = ""
    broken: dict[int, Answer] = field(default_factory=dict)
    next_number: int = 1

    def __post_init__(self) -> None:
        self.site.pages["/"] = self.list_page
        self.site.pages["/read"] = self.thread_page

    def add(self, thread: int, text: str = "", *, at: datetime | None = None) -> Said:
        number = self.next_number
        self.next_number += 1
        said = Said(
            number,
            f"Namn {number % 7}",
            text or f"Detta är inlägg nummer {number} i tråden.",
            at or NOW - timedelta(days=200) + timedelta(minutes=7 * number),
        )
        self.threads.setdefault(thread, []).append(said)
        return said

    def fill(self, threads: int, posts: int) -> None:
        for thread in range(1, threads + 1):
            for _ in range(posts):
                self.add(thread)

    def every(self) -> dict[str, str]:
        return {f"/read?t={t}#{s.number}": s.text for t, said in self.threads.items() for s in said}

    def _number(self, asked: Asked, key: str, fallback: int = 1) -> int:
        return int(parse_qs(urlsplit(asked.path).query).get(key, [str(fallback)])[0])

    def _link(self, address: str, words: str) -> str:
        return f'<a href="{address}{f"&sid={self.session}{len(self.site.asked)}" if self.session else ""}">{words}</a>'

    def list_page(self, asked: Asked) -> Answer:
        page = self._number(asked, "page")
        order = sorted(self.threads, key=lambda t: self.threads[t][-1].at, reverse=True)
        rows = "".join(self._row(t) for t in order[(page - 1) * self.per_list : page * self.per_list])
        more = self._link(f"/?page={page + 1}", "Nästa") if len(order) > page * self.per_list else ""
        return Answer(f"<html lang=sv><body><h1>Prat</h1><div>{rows}</div><p>{more}</p></body></html>")

    def _row(self, thread: int) -> str:
        posts = self.threads[thread]
        said = f"{len(posts) - 1} svar, senaste {posts[-1].at:%Y-%m-%d %H:%M}" if self.counts else ""
        return f"<div><h3>{self._link(f'/read?t={thread}', f'En fråga om tåget nummer {thread}')}</h3><span>{said}</span></div>"

    def thread_page(self, asked: Asked) -> Answer:
        thread, page = self._number(asked, "t", 0), self._number(asked, "page")
        if thread in self.broken:
            return self.broken[thread]
        posts = self.threads.get(thread, [])
        shown = posts[(page - 1) * self.per_page : page * self.per_page]
        if not shown:
            return Answer("finns inte", 404)
        body = "".join(
            f"<div id=p{s.number}><div><b>{s.author}</b> <i>{s.at:%Y-%m-%d %H:%M}</i></div><div>{escape(s.text)}</div></div>"
            for s in shown
        )
        pages = range(1, (len(posts) - 1) // self.per_page + 2)
        links = " ".join(self._link(f"/read?t={thread}&page={n}", str(n)) for n in pages if n != page)
        return Answer(
            f"<html lang=sv><body><h1>En fråga om tåget nummer {thread}</h1><div>{body}</div><p>{links}</p></body></html>"
        )
