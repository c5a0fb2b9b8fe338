"""Forums that give nothing to go by are read all the same: every post once, later only what changed."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.spiders.forum_plain import SHAPES, PlainForum
from tests.spiders.forum_world import World
from tests.spiders.loopback import site
from tests.spiders.reading import NOW


@pytest.fixture(params=SHAPES)
def forum(request: pytest.FixtureRequest) -> Iterator[PlainForum]:
    with site() as running:
        yield PlainForum(running, SHAPES[request.param])


def texts(world: World) -> list[str]:
    return sorted(post.text for post in world.posts.values())


def test_every_post_once_then_only_what_changed(forum: PlainForum) -> None:
    world = World()
    first = world.walk(forum.site.address)
    assert texts(world) == forum.texts()
    assert {post.author for post in world.posts.values()} == forum.authors()
    assert {post.title for post in world.posts.values()} == set(forum.titles.values())
    assert first.warnings == []
    second = world.walk(forum.site.address, now=NOW + timedelta(minutes=5))
    assert (world.new, world.edited, world.gone) == ([], [], [])
    assert second.pages < 0.2 * first.pages

    forum.add(2, "Nytt fynd om Fjelltele", "guro_n", NOW - timedelta(minutes=20))
    third = world.walk(forum.site.address, now=NOW + timedelta(minutes=25))
    assert [world.posts[i].text for i in world.new] == ["Nytt fynd om Fjelltele"]
    assert third.pages <= 8

    forum.threads[1][3].text = "Ändrat om Fjelltele"
    forum.threads[4].pop(5)
    fourth = world.walk(forum.site.address, now=NOW + timedelta(minutes=45), recheck=True)
    assert [world.posts[i].text for i in world.edited] == ["Ändrat om Fjelltele"]
    assert len(world.gone) == 1
    assert texts(world) == forum.texts()
    assert fourth.warnings == []


def test_a_thread_of_one_short_post_beside_a_long_sidebar(forum: PlainForum) -> None:
    forum.threads[5] = forum.threads[5][:1]
    forum.threads[5][0].text = "Hur går det för er i kväll?"
    world = World()
    world.walk(forum.site.address)
    assert texts(world) == forum.texts()
    forum.add(5, "Bra här i Östersund, inga problem.", "guro_n", NOW - timedelta(minutes=20))
    world.walk(forum.site.address, now=NOW + timedelta(minutes=25))
    assert texts(world) == forum.texts()
