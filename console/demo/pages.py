"""The demo site's pages: a forum and a news feed as HTML and RSS. Pure: a story (what is published by now) in, text out."""

from collections.abc import Sequence
from datetime import datetime
from email.utils import format_datetime
from html import escape

from console.demo.story import Article, Story, StoryPost, Thread, slug
from console.demo.texts import Board

FORUM = "/forum/"
FEED = "/nyheter/rss.xml"
STYLE = "/forum/stil.css"
THREADS_PER_PAGE = 25
POSTS_PER_PAGE = 20
MONTHS = ["januari", "februari", "mars", "april", "maj", "juni"]
MONTHS += ["juli", "augusti", "september", "oktober", "november", "december"]
ROBOTS = "User-agent: *\nDisallow: /forum/sok\n"


def board_path(board: str, number: int = 1) -> str:
    return _numbered(f"{FORUM}avdelning/{board}", number)


def thread_path(thread: Thread, number: int = 1) -> str:
    return _numbered(f"{FORUM}trad/{thread.id}-{slug(thread.title)}", number)


def page_count(items: int, per_page: int) -> int:
    """Pages needed; an empty list has one."""
    return max(1, -(-items // per_page))


def front_page() -> str:
    """What stands at the root: where the two parts are."""
    body = (
        "<h1>Nätforum och Nordisk Nätnytt</h1>"
        f'<p><a href="{FORUM}">Forumet</a> · <a href="{FEED}">Nyheterna (RSS)</a></p>'
    )
    return _page("Nätforum", body)


def forum_home(story: Story, boards: Sequence[Board]) -> str:
    """Every board with its numbers."""
    rows = []
    for board in boards:
        threads = [thread for thread in story.threads if thread.board == board.id]
        if not threads:
            continue
        latest = max(thread.posts[-1].at for thread in threads)
        posts = sum(len(thread.posts) for thread in threads)
        rows.append(
            f'<tr><td><a href="{board_path(board.id)}">{escape(board.name)}</a>'
            f'<div class="about">{escape(board.about)}</div></td>'
            f'<td class="count">{len(threads)}</td><td class="count">{posts}</td>'
            f"<td>{_time(latest, story)}</td></tr>"
        )
    body = (
        "<h1>Avdelningar</h1><table><thead><tr><th>Avdelning</th><th>Trådar</th><th>Inlägg</th>"
        f"<th>Senaste inlägg</th></tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )
    return _page("Nätforum", body)


def board_page(story: Story, board: Board, number: int) -> str | None:
    """One page of a board's threads, the pinned ones first, then those last written in; None when there is no such page."""
    threads = [thread for thread in story.threads if thread.board == board.id]
    threads.sort(key=lambda thread: (thread.pinned, thread.posts[-1].at), reverse=True)
    pages = page_count(len(threads), THREADS_PER_PAGE)
    if not 1 <= number <= pages:
        return None
    shown = threads[(number - 1) * THREADS_PER_PAGE : number * THREADS_PER_PAGE]
    rows = "".join(_thread_row(thread, story) for thread in shown)
    links = _page_links([board_path(board.id, n) for n in range(1, pages + 1)], number)
    body = (
        f'<p class="crumbs"><a href="{FORUM}">Nätforum</a> › {escape(board.name)}</p><h1>{escape(board.name)}</h1>'
        f'<p class="about">{escape(board.about)}</p><table class="threads"><thead><tr><th>Tråd</th><th>Svar</th>'
        f"<th>Senaste inlägg</th></tr></thead><tbody>{rows}</tbody></table>{links}"
    )
    return _page(board.name, body)


def thread_page(story: Story, thread: Thread, boards: Sequence[Board], number: int) -> str | None:
    """One page of a thread's posts, oldest first; None when there is no such page."""
    pages = page_count(len(thread.posts), POSTS_PER_PAGE)
    if not 1 <= number <= pages:
        return None
    board = next(board for board in boards if board.id == thread.board)
    shown = thread.posts[(number - 1) * POSTS_PER_PAGE : number * POSTS_PER_PAGE]
    path = thread_path(thread, number)
    posts = "".join(_post(post, path, story) for post in shown)
    links = _page_links([thread_path(thread, n) for n in range(1, pages + 1)], number)
    body = (
        f'<p class="crumbs"><a href="{FORUM}">Nätforum</a> › '
        f'<a href="{board_path(board.id)}">{escape(board.name)}</a></p>'
        f"<h1>{escape(thread.title)}</h1>{links}{posts}{links}"
    )
    return _page(thread.title, body, language=thread.language)


def article_page(article: Article, story: Story) -> str:
    body = (
        f"<article><h1>{escape(article.title)}</h1>"
        f'<p class="about">{escape(article.outlet)}, {_time(article.at, story)}</p>{_paragraphs(article.text)}</article>'
    )
    return _page(article.title, body, language=article.language)


def feed(story: Story, base: str) -> str:
    """RSS 2.0 with every article, newest first. `base`: the site's address without a slash at the end."""
    items = "".join(
        f"<item><title>{escape(article.title)}</title><link>{base}{article.path}</link>"
        f'<guid isPermaLink="true">{base}{article.path}</guid><pubDate>{format_datetime(article.at)}</pubDate>'
        f"<dc:creator>{escape(article.outlet)}</dc:creator>"
        f"<description>{escape(_paragraphs(article.text))}</description></item>"
        for article in reversed(story.articles)
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel><title>Nordisk Nätnytt</title>'
        f"<link>{base}/</link><description>Nyheter om nät, mobiler och det som hänger ihop med dem</description>"
        f"<language>sv</language>{items}</channel></rss>\n"
    )


def _numbered(path: str, number: int) -> str:
    return path if number == 1 else f"{path}?sida={number}"


def _page(title: str, body: str, *, language: str = "sv") -> str:
    return (
        f'<!doctype html>\n<html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{escape(title)} – Nätforum</title><link rel="stylesheet" href="{STYLE}">'
        '<link rel="icon" href="data:,"></head><body>'
        f'<div class="top"><a class="name" href="{FORUM}">Nätforum</a><span class="about">Vi som gillar nät</span></div>'
        f'<main>{body}</main><p class="end">Nätforum är en del av Lyhords demo. Alla personer, företag och händelser '
        "är påhittade.</p></body></html>\n"
    )


def _thread_row(thread: Thread, story: Story) -> str:
    pin = '<span class="pin">Klistrad</span> ' if thread.pinned else ""
    return (
        f'<tr><td>{pin}<a href="{thread_path(thread)}">{escape(thread.title)}</a>'
        f'<div class="about">av {escape(thread.posts[0].author)}</div></td>'
        f'<td class="count">{len(thread.posts) - 1} svar</td><td>{_time(thread.posts[-1].at, story)}</td></tr>'
    )


def _post(post: StoryPost, page: str, story: Story) -> str:
    return (
        f'<article class="post" id="inlagg-{post.id}"><header><strong class="writer">{escape(post.author)}</strong>'
        f'<a href="{page}#inlagg-{post.id}">{_time(post.at, story)}</a></header>'
        f'<div class="text">{_paragraphs(post.text)}</div></article>'
    )


def _page_links(paths: Sequence[str], number: int) -> str:
    if len(paths) == 1:
        return ""
    parts = []
    if number > 1:
        parts.append(f'<a rel="prev" href="{paths[number - 2]}">‹ Föregående</a>')
    for n, path in enumerate(paths, start=1):
        parts.append(f"<strong>{n}</strong>" if n == number else f'<a href="{path}">{n}</a>')
    if number < len(paths):
        parts.append(f'<a rel="next" href="{paths[number]}">Nästa ›</a>')
    return f'<nav class="pages" aria-label="Sidor">{"".join(parts)}</nav>'


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{escape(paragraph)}</p>" for paragraph in text.split("\n\n"))


def _time(at: datetime, story: Story) -> str:
    local = at.astimezone(story.zone)
    words = f"{local.day} {MONTHS[local.month - 1]} {local.year} kl. {local:%H:%M}"
    return f'<time datetime="{local.isoformat()}">{words}</time>'
