"""The demo's world for the fault tests: what must be there in the end is known from the story."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from console.demo.crisis import OFFICIAL
from console.demo.run import configuration
from console.demo.site import Site
from console.demo.story import BRAND, Story, tell
from listener import settings
from listener.archive import open_archive
from listener.ledger import open_ledger
from listener.mention import Mention
from listener.ports import Archive, Ledger, Where

FORUM = "natforum"
EVERYTHING = 1_000_000


@dataclass(frozen=True, slots=True)
class World:
    """A story that is served, and the file of a service that listens to it."""

    story: Story
    site: Site
    file: Path

    def ledger(self) -> Ledger:
        return open_ledger(settings.ledger_url(settings.load(self.file)))

    def archive(self) -> Archive:
        return open_archive(settings.archive_url(settings.load(self.file)))

    def forum_posts(self) -> set[tuple[str, str]]:
        """(text, time) of every post of the forum that is about the brand by its text or its thread's title."""
        name = BRAND.lower()
        return {
            (" ".join(post.text.split()), post.at.replace(second=0, microsecond=0).isoformat())
            for thread in self.story.threads
            for post in thread.posts
            if post.author != OFFICIAL and (name in thread.title.lower() or name in post.text.lower())
        }


def stored_posts(mentions: list[Mention]) -> list[tuple[str, str]]:
    """The same of what was stored; a list, so that a post stored twice shows."""
    return [
        (
            " ".join(m.text.split()),
            m.published_at.astimezone(UTC).replace(second=0, microsecond=0).isoformat(),
        )
        for m in mentions
    ]


def forum_mentions(archive: Archive) -> list[Mention]:
    return archive.search(Where(source=FORUM), limit=EVERYTHING)


@contextmanager
def world(folder: Path, *, slack: str = "") -> Iterator[World]:
    """`slack`: address of a mock's API, "" for alerts in the terminal."""
    story = tell(datetime.now(UTC), zone=ZoneInfo("Europe/Stockholm"))
    with Site(story) as site:
        file = folder / "lyhord.toml"
        text = configuration(site, folder)
        if slack:
            text += f'\n[slack]\nchannel = "C0CRISIS"\nbase_url = "{slack}"\n'
        file.write_text(text, encoding="utf-8")
        yield World(story, site, file)
