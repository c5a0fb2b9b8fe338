"""Forums without any markup to go by: the threads of seedtext in five shapes, with what real pages put around their posts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from html import escape
from urllib.parse import parse_qs, urlsplit

from infra.servers import seedtext
from tests.spiders.forum_fake import Said
from tests.spiders.loopback import Answer, Asked, Site
from tests.spiders.reading import NOW

SV = [
    "januari",
    "februari",
    "mars",
    "april",
    "maj",
    "juni",
    "juli",
    "augusti",
    "september",
    "oktober",
    "november",
    "december",
]
LOGIN = (
    '<div><form action="/in"><input name=n><input name=p type=password><button>Logga in</button></form></div>'
)
BOARDS = {1: (1, 2, 3, 4), 2: (5,), 3: (), 4: (6,)}


def ago(at: datetime) -> str:
    return f"för {(NOW - at).days} dagar sedan"


def written(at: datetime) -> str:
    return f"{at.day} {SV[at.month - 1][:3]} {at:%Y %H:%M}"


def norwegian(at: datetime) -> str:
    return f"{at:%d.%m.%Y} kl. {at:%H:%M}"


@dataclass(frozen=True, kw_only=True)
class Shape:
    """`post` (thread, post, place on the page) → HTML; `around` holds all posts of a page; `address` of a thread's page."""

    post: Callable[[int, Said, int], str]
    around: str = "<div>{}</div>"
    address: Callable[[int, int], str] = lambda thread, page: f"/las?t={thread}&start={(page - 1) * 20}"
    board: Callable[[int, int], str] = lambda board, page: f"/avd?b={board}&start={(page - 1) * 20}"
    row: Callable[[str, str, Sequence[Said]], str]
    rows: str = "<div>{}</div>"
    next: str = "Nästa"
    numbers: bool = True
    opening: bool = False
    backward: bool = False
    sidebar: bool = False
    login: bool = False
    nested: bool = False


def soup(thread: int, said: Said, place: int) -> str:
    name = f'<a name="p{said.number}"></a><div><div>{said.author}</div><div>Medlem sedan 2019</div></div>'
    quote = f"<blockquote>någon skrev: Jag tror inte på det ({place})</blockquote>" if place % 3 == 2 else ""
    return f"<div>{name}<div><div>{written(said.at)}</div><div>{quote}{escape(said.text)}</div></div></div>"


def table(thread: int, said: Said, place: int) -> str:
    who = f'<td><a href="/kunde/{said.author}">{said.author}</a><br>Innlegg: 77</td>'
    return f"<tr>{who}<td>Skrevet {norwegian(said.at)}<br><br>{escape(said.text)}<p>--<br>Hilsen meg</p></td></tr>"


def definition(thread: int, said: Said, place: int) -> str:
    return f"<dt>{said.author}, {written(said.at)}</dt><dd>{escape(said.text)}</dd>"


def ruled(thread: int, said: Said, place: int) -> str:
    return f"<b>{said.author}</b> skrev {ago(said.at)}:<br>{escape(said.text)}<br><a href='/svara?p={said.number}'>Svara</a><hr>"


def nested(thread: int, said: Said, place: int) -> str:
    link = f'<a href="/trad/{thread}/x#{said.number}">{written(said.at)}</a>'
    return f"<li id=i{said.number}><p>{said.author} | {link}</p><p>{escape(said.text)}</p>{{}}</li>"


def counted(link: str, title: str, posts: Sequence[Said]) -> str:
    return (
        f"<div>{link}<br>av {posts[0].author} · {len(posts) - 1} svar · senast {written(posts[-1].at)}</div>"
    )


def bare(link: str, title: str, posts: Sequence[Said]) -> str:
    return f"<tr><td>{link}</td></tr>"


def columns(link: str, title: str, posts: Sequence[Said]) -> str:
    cells = f"<td>{posts[0].author}</td><td>{len(posts) - 1}</td><td>{17 * len(posts)}</td>"
    return f"<tr><td>Viktig: {link}</td>{cells}<td>{written(posts[-1].at)}<br>{posts[-1].author}</td></tr>"


def excerpted(link: str, title: str, posts: Sequence[Said]) -> str:
    return f"<p>{link}<br>{escape(posts[-1].text[:90])} …<br>{written(posts[-1].at)}</p>"


SHAPES = {
    "divs": Shape(post=soup, row=counted, opening=True, sidebar=True, login=True),
    "table": Shape(
        post=table,
        around="<table>{}</table>",
        address=lambda thread, page: f"/emne/{thread}/side/{page}",
        board=lambda board, page: f"/gruppe/{board}/side/{page}",
        row=bare,
        rows="<table><tr><th>Emne</th></tr>{}</table>",
        next="Neste side",
        numbers=False,
    ),
    "definitions": Shape(
        post=definition,
        around="<dl>{}</dl>",
        address=lambda thread, page: f"/prat/{thread}.html?sida={page}",
        board=lambda board, page: f"/rum/{board}.html?sida={page}",
        row=columns,
        rows="<table><tr><th>Ämne<th>Av<th>Svar<th>Visningar<th>Senast</tr>{}</table>",
        backward=True,
        login=True,
    ),
    "ruled": Shape(
        post=ruled,
        address=lambda thread, page: f"/visa.asp?id={thread}&offset={(page - 1) * 20}",
        board=lambda board, page: f"/lista.asp?rum={board}&offset={(page - 1) * 20}",
        row=excerpted,
        next="Visa fler",
        numbers=False,
    ),
    "nested": Shape(
        post=nested,
        around="<ul>{}</ul>",
        address=lambda thread, page: f"/trad/{thread}/x?page={page}",
        board=lambda board, page: f"/kategori/{board}?page={page}",
        row=counted,
        sidebar=True,
        nested=True,
    ),
}


@dataclass
class PlainForum:
    """One shape on loopback; a test changes `threads`."""

    site: Site
    shape: Shape
    threads: dict[int, list[Said]] = field(default_factory=dict)
    titles: dict[int, str] = field(default_factory=dict)
    number: int = 100

    def __post_init__(self) -> None:
        for thread, told in enumerate(seedtext.threads(), 1):
            self.titles[thread] = str(told["title"])
            self.threads[thread] = []
            for post in told["posts"]:
                self.add(thread, post["text"], post["author"], post["when"] - timedelta(days=20))
        self.site.answer = self.answer  # type: ignore[method-assign]

    def add(self, thread: int, text: str, author: str, at: datetime) -> Said:
        self.number += 1
        said = Said(self.number, author, text, at)
        self.threads[thread].append(said)
        return said

    def texts(self) -> list[str]:
        return sorted(said.text for posts in self.threads.values() for said in posts)

    def authors(self) -> set[str]:
        return {said.author for posts in self.threads.values() for said in posts}

    def answer(self, asked: Asked) -> Answer:
        self.site.asked.append(asked)
        address = f"{asked.path}".replace("?sida=1", "?")
        pages: dict[str, Callable[[], str]] = {self._short("/"): self.home}
        for board in BOARDS:
            pages[self._short(self.shape.board(board, 1))] = lambda b=board: self.board(b)  # type: ignore[misc]
        for thread, posts in self.threads.items():
            for page in range(1, (len(posts) - 1) // 20 + 2):
                pages[self._short(self.shape.address(thread, page))] = lambda t=thread, p=page: self.thread(
                    t, p
                )  # type: ignore[misc]
        found = pages.get(self._short(address))
        return Answer(found()) if found else Answer("finns inte", 404)

    def _short(self, address: str) -> str:
        """The first page has its bare address too."""
        parts = urlsplit(address)
        query = sorted(
            (k, v[0])
            for k, v in parse_qs(parts.query).items()
            if (k, v[0]) not in {("start", "0"), ("offset", "0"), ("page", "1"), ("sida", "1")}
        )
        return parts.path.removesuffix("/side/1") + str(query)

    def _page(self, title: str, body: str) -> str:
        top = (
            f'<div><a href="/">Prat</a> <a href="/regler">Regler</a>{LOGIN if self.shape.login else ""}</div>'
        )
        side = f"<div><b>Senaste inlägg</b>{self._latest()}</div>" if self.shape.sidebar else ""
        head = f"<html><head><title>{title}</title></head>"
        return f"{head}<body>{top}<h1>{title}</h1>{body}{side}<div>© Prat 2026</div></body></html>"

    def _latest(self) -> str:
        rows = []
        for thread in list(self.threads)[-4:]:
            said = self.threads[thread][-1]
            link = f'<a href="{self.shape.address(thread, 1)}">{escape(self.titles[thread])}</a>'
            rows.append(f"<div>{link} {said.author} {written(said.at)}<br>{escape(said.text[:60])}</div>")
        return "".join(rows)

    def home(self) -> str:
        rows = "".join(
            f'<tr><td><a href="{self.shape.board(b, 1)}">Rum {b}</a><br>Här pratar vi om sådant</td><td>{len(ts)}</td>'
            f"<td>{written(max((self.threads[t][-1].at for t in ts), default=seedtext.START))}</td></tr>"
            for b, ts in BOARDS.items()
        )
        return self._page("Prat", f"<table>{rows}</table>")

    def board(self, board: int) -> str:
        rows = [
            self.shape.row(
                f'<a href="{escape(self.shape.address(t, 1))}">{escape(self.titles[t])}</a>',
                self.titles[t],
                self.threads[t],
            )
            for t in BOARDS[board]
        ]
        return self._page(
            f"Rum {board}", self.shape.rows.format("".join(rows)) if rows else "<p>Inga trådar.</p>"
        )

    def thread(self, thread: int, page: int) -> str:
        posts = self.threads[thread][:: -1 if self.shape.backward else 1]
        shown = posts[(page - 1) * 20 : page * 20]
        if self.shape.opening and page > 1:
            shown = [posts[0], *shown]
        parts = [self.shape.post(thread, said, place) for place, said in enumerate(shown)]
        if self.shape.nested:
            parts = self._nest(parts)
        last = (len(posts) - 1) // 20 + 1
        links = [
            f'<a href="{escape(self.shape.address(thread, n))}">{n}</a>'
            for n in range(1, last + 1)
            if n != page and self.shape.numbers
        ]
        if page < last:
            links.append(f'<a href="{escape(self.shape.address(thread, page + 1))}">{self.shape.next}</a>')
        return self._page(
            escape(self.titles[thread]),
            self.shape.around.format("".join(parts)) + f"<div>{' '.join(links)}</div>",
        )

    def _nest(self, parts: list[str]) -> list[str]:
        """Every third post answers the one before it, and the one after that answers it in turn."""
        nested: list[str] = []
        for first in range(0, len(parts), 3):
            below = ""
            for part in reversed(parts[first : first + 3]):
                below = part.format(f"<ul>{below}</ul>" if below else "")
            nested.append(below)
        return nested
