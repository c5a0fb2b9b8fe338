"""Pages of many engines, and of none, are understood alike."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spiders.forum.reading import read_page
from spiders.forum.view import Kind, PageView, Selectors

FIXTURES = Path(__file__).parents[1] / "fixtures" / "forum"
HOST = "http://forum.example/"
THREADS = {
    "phpbb": "viewtopic.php?t=12",
    "mybb": "showthread.php?tid=12",
    "vbulletin4": "showthread.php?12-Appen-nere",
    "smf": "index.php?topic=12.0",
    "xenforo": "threads/appen-nere.12/",
    "invision": "topic/12-appen-nere/",
    "flarum": "d/12-appen-nere",
    "nodebb": "topic/12/appen-nere",
    "vanilla": "discussion/12/appen-nere",
    "bbpress": "forums/topic/appen-nere/",
}
LISTS = {
    "phpbb": "viewforum.php?f=2",
    "xenforo": "forums/allmant.2/",
    "discourse": "c/allmant/2",
    "table": "lista.asp?forum=2",
    "blog": "",
    "hackernews": "news",
}
SAID = [
    ("Anna", datetime(2026, 1, 12, 7, 30, tzinfo=UTC), "Appen är nere igen, jag blir tokig!"),
    ("Björn_72", datetime(2026, 1, 13, 13, 5, tzinfo=UTC), "Samma här. Ringde kundtjänst utan svar."),
    ("Cecilie", datetime(2026, 1, 14, 20, 45, tzinfo=UTC), "Nå virker den igjen hos meg."),
]


def view(html: str, address: str = "t/appen-nere/12", selectors: Selectors | None = None) -> PageView:
    now = datetime(2026, 2, 1, 12, 0, tzinfo=UTC)
    return read_page(html, HOST + address, selectors, now=now, zone=ZoneInfo("Europe/Stockholm"))


def fixture(folder: str, name: str) -> str:
    return (FIXTURES / folder / f"{name}.html").read_text(encoding="utf-8")


def names(folder: str) -> list[str]:
    return sorted(path.stem for path in (FIXTURES / folder).glob("*.html"))


@pytest.mark.parametrize("name", names("threads"))
def test_a_thread_page(name: str) -> None:
    page = view(fixture("threads", name), THREADS.get(name, "t/appen-nere/12"))
    assert page.kind is Kind.THREAD
    assert [(p.author, p.published_at, p.text) for p in page.posts] == SAID
    assert len({p.native_id for p in page.posts}) == 3
    assert page.title == "Appen nere"
    assert page.next_url
    assert "sid" not in page.next_url


@pytest.mark.parametrize("name", names("threads"))
def test_ids_survive_an_edit(name: str) -> None:
    html, address = fixture("threads", name), THREADS.get(name, "t/appen-nere/12")
    edited = html.replace(SAID[2][2], "Jag tar tillbaka allt jag sa.")
    before, after = view(html, address), view(edited, address)
    assert [p.native_id for p in before.posts] == [p.native_id for p in after.posts]
    assert after.posts[2].text == "Jag tar tillbaka allt jag sa."


@pytest.mark.parametrize("name", names("lists"))
def test_a_list_page(name: str) -> None:
    page = view(fixture("lists", name), LISTS.get(name, "forum/2"))
    assert page.kind is Kind.LIST
    assert [link.title for link in page.threads] == ["Appen nere", "Fel på fakturan igen"]
    assert [link.replies for link in page.threads] == [2, 41]
    assert page.next_url


@pytest.mark.parametrize("name", names("lists"))
def test_a_new_reply_changes_the_marker_and_a_visit_does_not(name: str) -> None:
    html, address = fixture("lists", name), LISTS.get(name, "forum/2")
    before = {t.url: t.marker for t in view(html, address).threads}
    for views in ("74", "1517"):
        html = html.replace(views, "999999")
    assert {t.url: t.marker for t in view(html, address).threads} == before
    replied = html.replace(">41<", ">42<").replace("41 ", "42 ").replace("41&", "42&").replace("(41)", "(42)")
    changed = {t.url: t.marker for t in view(replied, address).threads}
    assert [before[url] != changed[url] for url in before] == [False, True]


def test_the_sources_own_selectors_come_first() -> None:
    html = "<main><h1>x</h1><w><k>Eva</k><t>2026-01-02 10:00</t><z>Hej hopp</z><y>brus</y></w></main>"
    selectors = Selectors(post="w", text="z", author="k", time="t")
    post = view(html, selectors=selectors).posts[0]
    assert (post.author, post.text, post.published_at) == (
        "Eva",
        "Hej hopp",
        datetime(2026, 1, 2, 9, tzinfo=UTC),
    )


def test_a_log_in_wall_is_told_from_an_empty_page() -> None:
    assert view("<form><input name=user><input type=password></form>").kind is Kind.LOGIN
    assert view("<p>Hej</p>").kind is Kind.NEITHER


def test_text_keeps_the_authors_words_only() -> None:
    html = (
        '<article class="message" data-author="Kim" data-content="post-1">'
        '<time class="u-dt" datetime="2026-01-02T10:00:00Z">x</time>'
        '<div class="message-body"><div class="bbWrapper">Före<br>efter <a href="/x">länken</a> <img class="smilie" alt=":)">'
        '<blockquote class="bbCodeBlock--quote">någon annan</blockquote><pre class="bbCodeBlock"><code>a  = 1\nb</code></pre>'
        '<script>x()</script><span style="display:none">dold</span><span hidden>dold</span></div></div></article>'
    )
    text = view(html, "threads/x.1/").posts[0].text
    assert text.startswith("Före\nefter länken :)")
    assert "a = 1\nb" in text
    assert not any(word in text for word in ("annan", "x()", "dold"))


def test_numbers_that_begin_anew_on_each_page_are_no_ids() -> None:
    html = "".join(
        f'<div id="post{n}"><b>A{n}</b> <i>2026-01-02 10:0{n}</i><p>Hej {n}</p></div>' for n in (1, 2, 3)
    )
    first, second = (view(f"<h1>x</h1><div>{html}</div>", f"t/x/12?page={n}") for n in (1, 2))
    later = view(f"<h1>x</h1><div>{html.replace('10:0', '11:0')}</div>", "t/x/12?page=2")
    assert not {p.native_id for p in first.posts} & {p.native_id for p in later.posts}
    assert second.number == 2


SNIPPETS = st.sampled_from(
    [
        "<div>",
        "</div>",
        "<table><tr><td>",
        "</table>",
        "<article class=message data-content=post-1>",
        "<time datetime=2026-01-01>",
        "12 jan 2026 08:30",
        "<a href='?page=2'>2</a>",
        "<a rel=next href=//[>",
        "<li class=comment id=comment-9>",
        "<dt>",
        "<dd>",
        "\x00",
        '<script type="application/ld+json">{"@type":"Comment","text":["x"]}</script>',
        '<script type="application/ld+json">[[[[',
        "<h1>",
        "<div itemscope itemtype='http://schema.org/Comment'>",
        "99.99.9999",
        "<base href='::'>",
        "<link rel=canonical href='http://[x'>",
        "<td>Kim<td>Hej på dig<tr>",
        "\ud800",
        "&#0;",
        "<svg>",
        "<noscript>",
        "för 99999999 år sedan",
        "<time datetime='99999999999'>",
    ]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(SNIPPETS | st.text(max_size=30), max_size=40))
def test_anything_at_all_gives_a_page_view(parts: list[str]) -> None:
    page = view("".join(parts), "forum/2")
    assert isinstance(page, PageView)
    assert len({p.native_id for p in page.posts}) == len(page.posts)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60))
def test_any_address_gives_a_page_view(address: str) -> None:
    assert isinstance(view("<a href='/t/x/1'>x</a>", address), PageView)


def test_deep_nesting_ends() -> None:
    page = view("<div>" * 20_000 + "2026-01-02 10:00" + "<b>x</b>")
    assert isinstance(page, PageView)
