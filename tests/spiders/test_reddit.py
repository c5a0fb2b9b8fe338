"""Reddit through praw itself, against a loopback server that speaks the part of its API that we use."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from listener.errors import ConfigError
from listener.ports import Batch, Tally
from listener.post import post_id
from spiders.reddit.things import is_gone, listing
from spiders.sources.reddit import RECHECK_EVERY, RedditCollector
from tests.spiders.loopback import Answer, Site, site
from tests.spiders.reading import Job, Reading, make_context, make_source

FIXTURES = Path(__file__).parent.parent / "fixtures" / "reddit"
TEN = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
NOW = TEN + timedelta(hours=2)
JSON = {"Content-Type": "application/json"}
SECRETS = {"reddit_client_id": "an-id", "reddit_client_secret": "a-secret"}


def answer(document: Any) -> Answer:
    return Answer(json.dumps(document), headers=JSON)


def recorded(name: str) -> Any:
    return json.loads((FIXTURES / name).read_text(encoding="utf-8"))


def page(things: list[dict[str, Any]], after: str | None = None) -> dict[str, Any]:
    return {"kind": "Listing", "data": {"after": after, "children": things}}


def submission(number: int, minutes: int) -> dict[str, Any]:
    data = {
        "name": f"t3_{number}",
        "title": f"t {number}",
        "selftext": "ord",
        "author": "eva",
        "created_utc": TEN.timestamp() + 60 * minutes,
        "permalink": f"/r/nordlyn/comments/{number}/",
    }
    return {"kind": "t3", "data": data}


@pytest.fixture
def reddit() -> Iterator[Site]:
    with site() as running:
        token = {"access_token": "t", "token_type": "bearer", "expires_in": 3600, "scope": "*"}
        running.pages |= {
            "/api/v1/access_token": answer(token),
            "/r/nordlyn/new": answer(recorded("new.json")),
            "/r/nordlyn/comments": answer(recorded("comments.json")),
            "/search": answer(page([])),
            "/api/info": answer(page([])),
        }
        yield running


def read(reddit: Site, before: Reading | None = None, **changes: Any) -> Reading:
    options = changes.pop("options", {"subreddits": ["nordlyn"]})
    values = {"notes": before.notes if before else {}, "secrets": SECRETS, "now": NOW, **changes}
    source = make_source("https://www.reddit.com/", kind="reddit", options=options)
    batches: list[Batch] = []
    context = make_context(Job(reader="", source=source, **values), batches)
    tally: Tally = RedditCollector(site=reddit.address, api=reddit.address).collect(context)
    return Reading(tally, batches)


def asked(reddit: Site, path: str) -> list[dict[str, str]]:
    urls = [urlsplit(one.path) for one in reddit.asked if urlsplit(one.path).path == path]
    return [{key: value[0] for key, value in parse_qs(url.query).items()} for url in urls]


def test_reads_new_submissions_and_comments(reddit: Site) -> None:
    reading = read(reddit)
    posts = {post.native_id: post for post in reading.posts}
    assert set(posts) == {"t3_c", "t3_a", "t1_y"}
    assert reading.gone == ["t3_b", "t1_x"]
    assert (posts["t3_c"].text, posts["t3_a"].text) == ("Bara en titel & inget mer", "Jag är orolig a")
    comment = posts["t1_y"]
    assert (comment.thread, comment.parent, comment.title, comment.author) == (
        "t3_a",
        "t3_a",
        "Titel a",
        "per",
    )
    assert comment.url == "https://www.reddit.com/r/nordlyn/comments/a/titel/y/"
    assert comment.published_at == TEN + timedelta(seconds=200)
    assert comment.edited_at == TEN + timedelta(seconds=210)
    assert posts["t3_a"].engagement == {"score": 3, "comments": 2}
    assert (reading.done.pages, reading.done.posts, reading.done.warnings, reading.done.error) == (
        2,
        3,
        (),
        "",
    )


def test_signs_in_as_an_app_and_names_itself(reddit: Site) -> None:
    read(reddit)
    sign_in, first = reddit.asked[:2]
    assert sign_in.headers["Authorization"].startswith("Basic ")
    assert b"grant_type=client_credentials" in sign_in.body
    assert first.headers["Authorization"] == "bearer t"
    assert "Lyhord/0.1 (+https://github.com/lyhord/lyhord" in first.headers["User-Agent"]


def test_stops_at_what_the_last_run_saw(reddit: Site) -> None:
    pages = {
        "": page([submission(n, 500 - n) for n in range(100)], after="t3_99"),
        "t3_99": page([submission(n, 500 - n) for n in range(100, 200)], after="t3_199"),
        "t3_199": page([submission(n, 500 - n) for n in range(200, 250)]),
    }
    reddit.pages["/r/nordlyn/new"] = lambda one: answer(
        pages[parse_qs(urlsplit(one.path).query).get("after", [""])[0]]
    )
    first = read(reddit)
    assert len({post.native_id for post in first.posts}) == 251
    reddit.asked.clear()
    pages[""] = page(
        [submission(1000, 501), submission(0, 500), *[submission(n, 500 - n) for n in range(1, 99)]], "x"
    )
    second = read(reddit, first)
    assert {post.native_id for post in second.posts} >= {"t3_1000"}
    assert len(asked(reddit, "/r/nordlyn/new")) == 1
    assert second.done.warnings == ()


def test_says_so_when_the_listing_is_too_short(reddit: Site) -> None:
    first = read(reddit, options={"subreddits": ["nordlyn"], "limit": 100})
    reddit.pages["/r/nordlyn/new"] = answer(
        page([submission(n, 300 - n) for n in range(100)], after="t3_more")
    )
    second = read(reddit, first, options={"subreddits": ["nordlyn"], "limit": 100})
    assert second.done.warnings == (
        "r/nordlyn new: posts between 2026-03-02 10:02 UTC and 2026-03-02 13:21 UTC may be missing: "
        "only the newest 100 could be read; read it more often",
    )


def test_the_cursor_stays_when_the_store_refuses(reddit: Site) -> None:
    refused = read(reddit, refuse_batch=0)
    assert refused.done.error == "what was read could not be stored: the disk is full"
    assert refused.notes == {}


def test_edits_and_deletions_of_the_last_two_days(reddit: Site) -> None:
    first = read(reddit)
    reddit.pages |= {"/r/nordlyn/new": answer(page([])), "/r/nordlyn/comments": answer(page([]))}
    reddit.pages["/api/info"] = answer(recorded("info.json"))
    held = {name: post_id("test", name) for name in ("t3_a", "t3_c", "t1_y")}
    threads = {"t3_a": frozenset({held["t3_a"], held["t1_y"]}), "t3_c": frozenset({held["t3_c"]})}
    soon = read(reddit, first, held=threads)
    assert (soon.posts, asked(reddit, "/api/info")) == ([], [])
    later = read(reddit, first, held=threads, now=NOW + RECHECK_EVERY)
    assert set(asked(reddit, "/api/info")[0]["id"].split(",")) == set(held)
    assert [(post.native_id, post.text) for post in later.posts] == [("t3_a", "Jag är lugn nu")]
    assert set(later.gone) == {"t1_y", "t3_c"}
    assert read(reddit, first, held=threads, recheck=True).posts


def test_searches(reddit: Site) -> None:
    reddit.pages["/search"] = answer(page([submission(1, 0)]))
    assert len(read(reddit, options={"searches": ['"nordlyn" tåg']}).posts) == 1
    (parameters,) = asked(reddit, "/search")
    assert (parameters["q"], parameters["sort"], parameters["raw_json"]) == ('"nordlyn" tåg', "new", "1")


@pytest.mark.parametrize(
    ("path", "refusal", "words", "permanent"),
    [
        (
            "/api/v1/access_token",
            Answer("{}", 401, JSON),
            "does not accept LYHORD_REDDIT_CLIENT_ID and LYHORD_",
            True,
        ),
        ("/r/nordlyn/new", Answer("{}", 403, JSON), "r/nordlyn new: Reddit answered 403: private", True),
        ("/r/nordlyn/new", Answer("{}", 404, JSON), "r/nordlyn new: Reddit answered 404", True),
        (
            "/r/nordlyn/new",
            Answer("", 302, {"Location": "/subreddits/search"}),
            "there is no such subreddit",
            True,
        ),
        ("/r/nordlyn/new", Answer("<html>", 200), "r/nordlyn new: Reddit answered 200 (BadJSON)", False),
    ],
)
def test_refusals_in_words(reddit: Site, path: str, refusal: Answer, words: str, permanent: bool) -> None:
    reddit.pages[path] = refusal
    if path != "/api/v1/access_token":
        reddit.pages["/r/nordlyn/comments"] = refusal
    tally = read(reddit).done
    assert words in tally.error
    assert tally.permanent == permanent
    assert "a-secret" not in str(tally)


def test_one_closed_subreddit_does_not_cost_the_others(reddit: Site) -> None:
    reddit.pages |= dict.fromkeys(["/r/closed/new", "/r/closed/comments"], Answer("{}", 403, JSON))
    reading = read(reddit, options={"subreddits": ["closed", "nordlyn"]})
    assert (reading.done.error, len(reading.posts)) == ("", 3)
    assert len(reading.done.warnings) == 2


def test_waits_as_long_as_reddit_asks(reddit: Site) -> None:
    reddit.pages["/r/nordlyn/new"] = Answer("{}", 429, {**JSON, "Retry-After": "120"})
    tally = read(reddit).done
    assert (tally.error, tally.retry_after) == ("r/nordlyn new: Reddit answered 429 (too many requests)", 120)


@pytest.mark.parametrize(
    ("secrets", "words"),
    [
        (
            {},
            "LYHORD_REDDIT_CLIENT_ID and LYHORD_REDDIT_CLIENT_SECRET not set; want the id and secret of an app",
        ),
        ({"reddit_client_id": "x"}, "'test': LYHORD_REDDIT_CLIENT_SECRET not set"),
    ],
)
def test_without_credentials(reddit: Site, secrets: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        read(reddit, secrets=secrets)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "got neither subreddits nor searches"),
        ({"subreddits": ["r/x/../y"]}, "want a name without r/"),
        ({"subreddits": ["sweden"], "limit": 5000}, "got 5000; want 1 to 1000"),
        ({"subredits": ["sweden"]}, "got unknown key 'subredits'; reddit knows limit, searches, subreddits"),
        ({"subreddits": "sweden"}, "options.subreddits: got 'sweden'"),
    ],
)
def test_wrong_options(reddit: Site, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        read(reddit, options=options)


@pytest.mark.parametrize(
    "odd", [None, [], {}, {"data": None}, {"data": {"children": [None, {}, {"data": {"name": 3}}]}}]
)
def test_odd_answers_hold_nothing(odd: Any) -> None:
    assert listing(odd) == ([], "")


def test_gone_by_author_text_or_moderator() -> None:
    alive = {"name": "t3_a", "author": "x", "selftext": "y"}
    assert not is_gone(alive)
    for change in ({"author": None}, {"selftext": "[removed]"}, {"removed_by_category": "moderator"}):
        assert is_gone({**alive, **change})
