"""Walks over a small forum on loopback: everything once, later only what changed, whatever happens in between."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.spiders.forum_fake import Forum
from tests.spiders.forum_world import World
from tests.spiders.loopback import Answer, Asked, site
from tests.spiders.reading import NOW


@pytest.fixture
def forum() -> Iterator[Forum]:
    with site() as running:
        yield Forum(running)


def texts(world: World) -> dict[str, str]:
    return {i: post.text for i, post in world.posts.items()}


def test_reads_every_post_once_and_an_unchanged_forum_almost_not_at_all(forum: Forum) -> None:
    forum.fill(threads=12, posts=12)
    world = World()
    first = world.crawl(forum.site.address)
    assert texts(world) == forum.every()
    assert first.done.warnings == ()
    assert set(world.seen.values()) == {1}
    second = world.crawl(forum.site.address)
    assert second.done.pages < 0.2 * first.done.pages
    assert (world.new, world.edited, world.gone) == ([], [], [])


def test_finds_new_replies_and_new_threads_with_few_pages(forum: Forum) -> None:
    forum.fill(threads=12, posts=12)
    world = World()
    world.walk(forum.site.address)
    reply = forum.add(3, "Ett nytt svar", at=NOW - timedelta(hours=1))
    thread = forum.add(99, "En helt ny tråd", at=NOW - timedelta(minutes=30))
    reading = world.walk(forum.site.address)
    assert sorted(world.new) == sorted([f"/read?t=3#{reply.number}", f"/read?t=99#{thread.number}"])
    assert reading.pages <= 4


def test_a_recheck_sees_edits_and_deletions(forum: Forum) -> None:
    forum.fill(threads=4, posts=12)
    world = World()
    world.walk(forum.site.address)
    forum.threads[2][1].text = "Jag ändrade mig."
    lost = forum.threads[3].pop(4)
    world.walk(forum.site.address, recheck=True)
    assert texts(world) == forum.every()
    assert world.edited == ["/read?t=2#14"]
    assert world.gone == [f"/read?t=3#{lost.number}"]


def test_a_thread_that_is_gone_takes_its_posts_with_it(forum: Forum) -> None:
    forum.fill(threads=4, posts=7)
    world = World()
    world.walk(forum.site.address)
    forum.broken[2] = Answer("borttagen", 410)
    world.walk(forum.site.address, recheck=True)
    assert len(world.gone) == 7
    assert all(i.startswith("/read?t=2#") for i in world.gone)


@pytest.mark.parametrize(
    "answer", [Answer("nej", 403), Answer("<html><form><input type=password></form></html>")]
)
def test_a_refusal_is_told_and_deletes_nothing(forum: Forum, answer: Answer) -> None:
    forum.fill(threads=3, posts=4)
    world = World()
    world.walk(forum.site.address)
    forum.broken[2] = answer
    reading = world.walk(forum.site.address, recheck=True)
    assert world.gone == []
    assert len(world.posts) == 12
    assert any("t=2" in words for words in reading.warnings)


def test_a_thread_that_suddenly_shows_little_loses_nothing(forum: Forum) -> None:
    forum.fill(threads=3, posts=5)
    world = World()
    world.walk(forum.site.address)
    del forum.threads[2][2:]
    reading = world.walk(forum.site.address, recheck=True)
    assert world.gone == []
    assert any("nothing was deleted" in words for words in reading.warnings)


@pytest.mark.parametrize("stored", [1, 4, 9, 17])
def test_killed_at_any_batch_the_next_run_finds_the_rest(forum: Forum, stored: int) -> None:
    forum.fill(threads=14, posts=12)
    world = World()
    world.walk(forum.site.address, stop_after=stored)
    assert len(world.posts) < len(forum.every())
    world.walk(forum.site.address)
    assert texts(world) == forum.every()
    assert world.walk(forum.site.address).pages < 5


def test_killed_while_a_thread_was_growing_loses_no_reply(forum: Forum) -> None:
    forum.fill(threads=5, posts=6)
    world = World()
    world.walk(forum.site.address)
    for minute in range(12):
        forum.add(2, at=NOW - timedelta(minutes=30 - minute))
    world.walk(forum.site.address, stop_after=3)
    world.walk(forum.site.address)
    assert texts(world) == forum.every()


def test_session_ids_in_links_make_no_page_new(forum: Forum) -> None:
    forum.session = "a1b2"
    forum.fill(threads=6, posts=12)
    world = World()
    first = world.walk(forum.site.address)
    assert texts(world) == forum.every()
    assert first.pages == 1 + 6 * 3
    assert world.walk(forum.site.address).pages == 1


def test_an_endless_thread_is_left(forum: Forum) -> None:
    forum.fill(threads=2, posts=3)

    def endless(asked: Asked) -> Answer:
        page = forum._number(asked, "page")
        body = "".join(
            f"<div id=p{n}><b>Kim</b> <i>2026-01-02 1{n}:00</i><p>Igen {n}.</p></div>" for n in (7, 8)
        )
        return Answer(f'<h1>Runt</h1>{body}<a rel=next href="/read?t=9&page={page + 1}">Nästa</a>')

    forum.add(9)
    forum.site.pages["/read"] = lambda asked: (
        endless(asked) if "t=9" in asked.path else forum.thread_page(asked)
    )
    World().walk(forum.site.address)
    assert forum.site.times("/read") <= 2 + 3


def test_stops_at_max_pages_says_so_and_goes_on_next_time(forum: Forum) -> None:
    forum.fill(threads=9, posts=6)
    world = World()
    reading = world.crawl(forum.site.address, max_pages=8)
    assert any("max_pages" in words for words in reading.done.warnings)
    for _ in range(4):
        world.crawl(forum.site.address, max_pages=8)
    assert texts(world) == forum.every()


def test_a_fresh_thread_is_read_again_after_an_hour(forum: Forum) -> None:
    forum.fill(threads=20, posts=2)
    fresh = forum.add(77, "Första ordet", at=NOW - timedelta(hours=2))
    world = World()
    world.walk(forum.site.address)
    fresh.text = "Rättat ord"
    world.walk(forum.site.address, now=NOW + timedelta(minutes=20))
    assert world.edited == []
    world.walk(forum.site.address, now=NOW + timedelta(minutes=70))
    assert world.edited == [f"/read?t=77#{fresh.number}"]


def test_a_list_without_counts_is_not_read_anew_each_time(forum: Forum) -> None:
    forum.counts = False
    forum.fill(threads=8, posts=6)
    world = World()
    first = world.walk(forum.site.address)
    assert texts(world) == forum.every()
    assert world.walk(forum.site.address).pages < 0.2 * first.pages


def test_an_address_with_nothing_to_read_is_an_error_in_words(forum: Forum) -> None:
    forum.site.pages["/"] = Answer("<html><body><p>Välkommen!</p></body></html>")
    tally = World().crawl(forum.site.address).done
    assert "no threads and no posts" in tally.error
    forum.site.pages["/"] = Answer("<html><form><input name=u><input type=password></form></html>")
    tally = World().crawl(forum.site.address).done
    assert "log-in" in tally.error
    assert tally.permanent


def test_a_single_thread_as_address(forum: Forum) -> None:
    forum.fill(threads=2, posts=12)
    world = World()
    world.crawl(f"{forum.site.address}/read?t=2")
    assert {i.split("#")[0] for i in world.posts} == {"/read?t=2"}
    assert len(world.posts) == 12
    forum.add(2)
    assert world.crawl(f"{forum.site.address}/read?t=2").done.pages == 1
    assert len(world.new) == 1


def test_sub_forums_are_walked_and_an_unchanged_one_is_passed_over(forum: Forum) -> None:
    forum.fill(threads=10, posts=3)
    pages = forum.site.pages

    def board(asked: Asked) -> Answer:
        own = [t for t in sorted(forum.threads) if t % 2 == int(asked.path[-1])]
        rows = "".join(forum._row(t) for t in own)
        return Answer(
            f'<nav><a href="/">Hem</a></nav><h1>Avdelning</h1><div>{rows}</div><a href="/login">Logga in</a>'
        )

    def home(asked: Asked) -> Answer:
        rows = []
        for number in (0, 1):
            posts = [s for t, said in forum.threads.items() if t % 2 == number for s in said]
            last = f"{max(s.at for s in posts):%Y-%m-%d %H:%M}"
            row = f'<a href="/forum/{number}">Avdelning {number}</a></td><td>{len(posts)}</td><td>{last}</td>'
            rows.append(f"<tr><td>{row}</tr>")
        head = "<tr><th>Forum</th><th>Inlägg</th><th>Senaste</th></tr>"
        return Answer(f'<h1>Hem</h1><table>{head}{"".join(rows)}</table><a href="/sok">Sök</a>')

    pages |= {"/": home, "/forum/0": board, "/forum/1": board}
    world = World()
    world.walk(forum.site.address)
    assert texts(world) == forum.every()
    assert world.walk(forum.site.address).pages == 1
    forum.add(4, "Svar i den ena", at=NOW - timedelta(hours=1))
    assert world.walk(forum.site.address).pages == 3
    assert texts(world) == forum.every()
    assert forum.site.times("/login") == 0


def test_threads_with_the_newest_post_first_get_their_new_replies(forum: Forum) -> None:
    forum.fill(threads=6, posts=12)
    forward = forum.thread_page

    def backward(asked: Asked) -> Answer:
        for said in forum.threads.values():
            said.reverse()
        answer = forward(asked)
        for said in forum.threads.values():
            said.reverse()
        return answer

    forum.site.pages["/read"] = backward
    world = World()
    world.walk(forum.site.address)
    assert texts(world) == forum.every()
    for n in range(3):
        forum.add(5, at=NOW - timedelta(hours=3 - n))
    world.walk(forum.site.address)
    assert texts(world) == forum.every()


def test_the_same_thread_under_two_addresses_is_stored_once(forum: Forum) -> None:
    forum.fill(threads=3, posts=4)
    forum.site.pages["/kopia/a-b-c-d"] = lambda asked: forum.thread_page(Asked("/read?t=2", {}))
    listed = forum.list_page

    def both(asked: Asked) -> Answer:
        body = str(listed(asked).body)
        return Answer(
            body.replace(
                "<p></p>", '<div><h3><a href="/kopia/a-b-c-d">En fråga om tåget nummer 2</a></h3></div>'
            )
        )

    forum.site.pages["/"] = both
    world = World()
    world.walk(forum.site.address)
    assert len(world.posts) == 12
