"""Whenever the demo is run, its story ends in exactly one incident of worried customers, and nothing was one before."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from console.demo.crisis import OFFICIAL
from console.demo.story import BRAND, Story, tell
from listener.archive import open_archive
from listener.intake import Intake, Tools
from listener.ledger import open_ledger
from listener.mention import Signal
from listener.post import Post
from listener.pseudonym import pseudonymiser
from listener.settings import Secrets, parse_config
from tests.workers.test_stages import FILE, Wall
from workers import stages
from workers.runtime import Runtime
from workers.scoring import open_scorer
from workers.scoring.language import identify_all

ENDS = ("2026-11-22T03:07", "2026-03-28T12:30", "2026-07-04T19:00", "2026-10-25T08:10", "2026-12-31T23:55")


@pytest.mark.parametrize("end", ENDS)
def test_the_demo_alerts_at_any_time_of_day_and_year(end: str, tmp_path: Path) -> None:
    story = tell(datetime.fromisoformat(end).replace(tzinfo=UTC), zone=ZoneInfo("Europe/Stockholm"))
    runtime = _runtime(tmp_path, story)
    try:
        (incident,) = stages.detect(runtime)
        stages.notify(runtime)
    finally:
        runtime.close()
    assert incident.brand == BRAND.lower()
    assert incident.signals[0] is Signal.ANXIETY
    assert incident.began_at >= story.crisis_began
    assert incident.levels[0].observed >= 20


def _runtime(folder: Path, story: Story) -> Runtime:
    """A service that has read the whole story at its end."""
    config = parse_config(
        FILE.replace('queries = ["fjelltele*"]', f'queries = ["fjelltele*"]\naccounts = ["{OFFICIAL}"]')
    )
    runtime = Runtime(
        path=folder / "lyhord.toml",
        config=config,
        secrets=Secrets(),
        ledger=open_ledger(f"sqlite:///{folder / 'ledger.db'}"),
        archive=open_archive(f"sqlite:///{folder / 'archive.db'}"),
        tools=Tools.of(config.brands, pseudonymiser(b"k" * 32), identify_all),
        scorer=open_scorer(),
        notifier=Wall(),
        clock=lambda: story.end,
    )
    intake = Intake(config.sources[0], runtime.tools, runtime.archive, runtime.ledger, clock=runtime.clock)
    intake.accept(_posts(story), now=story.end)
    stages.score_all(runtime)
    return runtime


def _posts(story: Story) -> list[Post]:
    return [
        Post(
            source="forum",
            native_id=post.id,
            url=f"https://forum.example/{thread.id}#{post.id}",
            text=post.text,
            published_at=post.at,
            author=post.author,
            title=thread.title,
            thread=thread.id,
        )
        for thread in story.threads
        for post in thread.posts
    ]
