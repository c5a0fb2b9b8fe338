"""Real forums, started here on loopback, read to the last post and then kept up with."""

import html
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infra.servers import seedtext
from tests.spiders.forum_world import World

SERVERS = Path(__file__).parents[2] / "infra" / "servers"
pytestmark = [pytest.mark.server, pytest.mark.slow]


@dataclass(frozen=True)
class Engine:
    name: str
    address: str
    change: str

    def run(self, *command: str) -> str:
        done = subprocess.run(
            [str(SERVERS / command[0]), *command[1:]],
            capture_output=True,
            text=True,
            timeout=900,
            env=os.environ,
        )
        assert done.returncode == 0, done.stdout[-500:] + done.stderr[-1500:]
        return done.stdout.strip()


ENGINES = [
    Engine("misago", f"http://127.0.0.1:{os.environ.get('MISAGO_PORT', '18102')}/", "change-misago.py"),
    Engine(
        "wordpress", f"http://127.0.0.1:{os.environ.get('WORDPRESS_PORT', '18105')}/", "change-wordpress.sh"
    ),
]
SEEDS = {"misago": "seed-misago.py", "wordpress": "seed-wordpress.sh"}


@pytest.fixture(scope="module", params=ENGINES, ids=lambda engine: engine.name)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    engine: Engine = request.param
    engine.run(f"start-{engine.name}.sh")
    engine.run(SEEDS[engine.name])
    yield engine
    engine.run("stop.sh", engine.name)


def plain(text: str) -> str:
    """Engines turn straight quotes into curly ones."""
    return " ".join(html.unescape(text).replace("“", '"').replace("”", '"').replace("’", "'").split())


def test_every_post_once_then_only_what_changed(engine: Engine) -> None:
    world, now = World(), datetime.now(UTC)
    first = world.crawl(engine.address, now=now, within=300)
    told = [(plain(p["text"]), p["when"]) for thread in seedtext.threads() for p in thread["posts"]]
    assert len(told) == 237
    assert sorted((plain(p.text), p.published_at) for p in world.posts.values()) == sorted(told)
    assert first.done.warnings == ()

    second = world.crawl(engine.address, now=now + timedelta(minutes=5), within=300)
    assert (world.new, world.edited, world.gone) == ([], [], [])
    assert second.done.pages < 0.2 * first.done.pages

    number = engine.run(engine.change, "add", "Nytt inlägg om Fjelltele")
    third = world.crawl(engine.address, now=datetime.now(UTC) + timedelta(minutes=10), within=300)
    assert [world.posts[i].text for i in world.new] == ["Nytt inlägg om Fjelltele"]
    assert third.done.pages <= 5
    (added,) = world.new

    engine.run(engine.change, "edit", number, "Rättat inlägg om Fjelltele")
    world.crawl(engine.address, now=datetime.now(UTC) + timedelta(minutes=20), recheck=True, within=300)
    assert world.edited == [added]
    assert world.posts[added].text == "Rättat inlägg om Fjelltele"

    engine.run(engine.change, "delete", number)
    world.crawl(engine.address, now=datetime.now(UTC) + timedelta(minutes=30), recheck=True, within=300)
    assert world.gone == [added]
    assert len(world.posts) == 237
