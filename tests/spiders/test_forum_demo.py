"""The demo's own forum, whose markup is nobody's: each post of its story once, and no row of a list."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from console.demo import pages
from console.demo.site import Site
from console.demo.story import Story, tell
from console.demo.texts import load
from spiders.forum.reading import read_page
from spiders.forum.view import Kind
from tests.spiders.forum_world import World

ZONE = ZoneInfo("Europe/Stockholm")
END = datetime(2026, 3, 2, 11, 0, tzinfo=UTC)


def story(hours: int = 0) -> Story:
    return tell(END + timedelta(hours=hours), zone=ZONE)


def test_every_post_of_the_story_once() -> None:
    told = story()
    world = World()
    with Site(told) as site:
        first = world.walk(site.forum_url, now=told.end)
        assert Counter(p.text for p in world.posts.values()) == Counter(
            p.text for thread in told.threads for p in thread.posts
        )
        assert first.warnings == []
        assert world.walk(site.forum_url, now=told.end + timedelta(minutes=5)).pages < 0.2 * first.pages
        assert (world.new, world.edited, world.gone) == ([], [], [])


@pytest.mark.parametrize("hours", [5, 11, 79, 200])
def test_no_row_of_a_list_is_a_post(hours: int) -> None:
    told = story(hours)
    for board in load().boards:
        number = 1
        while html := pages.board_page(told, board, number):
            address = "http://forum.example" + pages.board_path(board.id, number)
            page = read_page(html, address, now=told.end, zone=ZONE)
            own = [thread for thread in told.threads if thread.board == board.id]
            assert page.kind is (Kind.LIST if own else Kind.NEITHER), board.id
            assert len(page.threads) == min(len(own) - 25 * (number - 1), 25)
            number += 1
