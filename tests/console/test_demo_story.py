"""The demo's story holds what the demo promises, whenever it ends."""

import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.demo.crisis import OFFICIAL
from console.demo.story import BRAND, Story, StoryPost, Thread, slug, tell
from console.demo.texts import load
from console.demo.writing import fill, in_habit

STOCKHOLM = ZoneInfo("Europe/Stockholm")
HOUR = timedelta(hours=1)
ENDS = [
    datetime(2026, 11, 22, 2, 10, tzinfo=UTC),  # 03:10 in the night
    datetime(2026, 6, 3, 13, 34, 56, tzinfo=UTC),  # a weekday afternoon, rounded down
    datetime(2026, 11, 1, 8, 0, tzinfo=UTC),  # a Sunday morning a week after the clocks changed
    datetime(2027, 4, 2, 19, 45, tzinfo=UTC),  # an evening days after they changed
]


@pytest.fixture(scope="module", params=ENDS, ids=str)
def story(request: pytest.FixtureRequest) -> Story:
    return tell(request.param, zone=STOCKHOLM)


def posts_of(story: Story) -> list[tuple[Thread, StoryPost]]:
    return [(thread, post) for thread in story.threads for post in thread.posts]


def of_brand(story: Story) -> list[tuple[Thread, StoryPost]]:
    wanted = BRAND.casefold()
    return [(t, p) for t, p in posts_of(story) if wanted in t.title.casefold() or wanted in p.text.casefold()]


def crisis_texts(*moods: str) -> set[str]:
    """Texts of the crisis without what differs from telling to telling (times, habits of typing)."""
    return {bare(text) for thread in load().crisis for _, mood, text in thread.posts if mood in moods}


def bare(text: str) -> str:
    plain = text.casefold().translate(str.maketrans("åäöæø", "aaoao"))
    plain = plain.replace("aa", "a").replace("ae", "a").replace("oe", "o")
    plain = re.sub(r"\{\w+\}|\b\d\d[:.]\d\d\b|\bi (natt|morse|morges|dag|kvall|kveld)\b", "", plain)
    return re.sub(r"[^a-z]", "", plain)


def voices(story: Story, start: datetime, end: datetime, *moods: str) -> set[str]:
    texts = crisis_texts(*moods)
    return {p.author for _, p in posts_of(story) if start <= p.at < end and bare(p.text) in texts}


def test_it_is_large_enough_and_mostly_about_the_brand(story: Story) -> None:
    assert 1600 <= len(posts_of(story)) <= 2200
    assert len(of_brand(story)) >= 900
    assert len(posts_of(story)) - len(of_brand(story)) >= 500
    assert 120 <= len(story.threads) <= 195
    assert 50 <= len(story.articles) <= 70


def test_threads_are_of_uneven_length_in_time_order_and_titled_once(story: Story) -> None:
    lengths = sorted(len(thread.posts) for thread in story.threads)
    assert lengths[0] == 1
    assert lengths[-1] >= 60
    assert len({thread.title for thread in story.threads}) == len(story.threads)
    for thread in story.threads:
        assert list(thread.posts) == sorted(thread.posts, key=lambda post: (post.at, int(post.id)))
    ids = [post.id for _, post in sorted(posts_of(story), key=lambda pair: int(pair[1].id))]
    assert ids == [
        post.id for _, post in sorted(posts_of(story), key=lambda pair: (pair[1].at, int(pair[1].id)))
    ]
    assert len(set(ids)) == len(ids)
    assert sum(thread.pinned for thread in story.threads) == 1


def test_it_lasts_five_weeks_and_ends_at_its_end(story: Story) -> None:
    times = [post.at for _, post in posts_of(story)] + [article.at for article in story.articles]
    assert story.end - timedelta(days=35) <= min(times) < story.end - timedelta(days=34)
    assert story.end - timedelta(minutes=3) < max(times) < story.end
    assert story.end.minute % 5 == 0
    assert (story.end.second, story.end.microsecond) == (0, 0)


def test_the_end_is_rounded_down_to_five_minutes() -> None:
    assert tell(datetime(2026, 6, 3, 13, 34, 56, tzinfo=UTC), zone=STOCKHOLM).end == datetime(
        2026, 6, 3, 13, 30, tzinfo=UTC
    )


def test_the_same_end_and_seed_tell_the_same_story() -> None:
    told = tell(ENDS[0], zone=STOCKHOLM)
    assert told == tell(ENDS[0] + timedelta(minutes=4), zone=STOCKHOLM)
    assert told != tell(ENDS[0], zone=STOCKHOLM, seed=2)


def test_an_end_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        tell(datetime(2026, 1, 1), zone=STOCKHOLM)  # noqa: DTZ001


def test_days_have_a_rhythm_in_local_time(story: Story) -> None:
    before = [p.at.astimezone(STOCKHOLM) for _, p in posts_of(story) if p.at < story.crisis_began]
    hours = Counter(at.hour for at in before)
    night = sum(hours[h] for h in range(1, 6)) / 5
    evening = sum(hours[h] for h in range(18, 22)) / 4
    assert night * 6 < evening
    weekdays, weekends = (
        Counter(at.hour for at in before if (at.weekday() >= 5) is end) for end in (False, True)
    )
    morning = range(7, 9)
    assert (
        sum(weekdays[h] for h in morning) / weekdays.total()
        > sum(weekends[h] for h in morning) / weekends.total()
    )


def test_hours_vary_more_than_chance_alone(story: Story) -> None:
    start = story.end - timedelta(days=35)
    noon = [0] * 35
    for _, post in posts_of(story):
        if post.at < story.crisis_began and 18 <= post.at.astimezone(STOCKHOLM).hour < 22:
            noon[(post.at - start).days] += 1
    mean = sum(noon) / len(noon)
    assert sum((n - mean) ** 2 for n in noon) / (len(noon) - 1) > 1.3 * mean


def test_ordinary_daytime_brings_one_to_four_brand_voices_an_hour(story: Story) -> None:
    daytime = Counter(
        (local.toordinal(), local.hour)
        for local in (p.at.astimezone(STOCKHOLM) for _, p in of_brand(story) if p.at < story.crisis_began)
        if 9 <= local.hour < 22
    )
    assert 1 <= daytime.total() / (35 * 13) <= 4
    assert max(daytime.values()) <= 15


def test_texts_differ_and_no_slot_stays_open(story: Story) -> None:
    texts = [post.text for _, post in posts_of(story)]
    assert len(set(texts)) >= 0.92 * len(texts)
    assert not [text for text in texts if re.search(r"[{}]|\[|\|", text)]
    assert not [thread.title for thread in story.threads if re.search(r"[{}]|\[|\||@", thread.title)]
    assert not [text for text in texts if text.startswith("@")]


def test_there_are_many_authors_and_both_languages(story: Story) -> None:
    ordinary = {p.author for _, p in posts_of(story) if p.at < story.crisis_began}
    assert len(ordinary) >= 300
    languages = Counter(thread.language for thread, _ in posts_of(story))
    assert languages["sv"] > languages["nb"] > 500


def test_the_crisis_starts_when_it_says_with_two_or_three_voices(story: Story) -> None:
    assert story.end - story.crisis_began == timedelta(hours=4, minutes=45)
    everyone = ("worried", "angry", "calm", "joke")
    assert not voices(story, story.end - timedelta(days=36), story.crisis_began, *everyone)
    assert voices(story, story.crisis_began, story.crisis_began + timedelta(minutes=5), "worried")
    assert (
        2
        <= len(voices(story, story.crisis_began, story.crisis_began + timedelta(minutes=75), *everyone))
        <= 4
    )


def test_the_crisis_grows_until_the_end(story: Story) -> None:
    hourly = [
        len(voices(story, story.end - (n + 1) * HOUR, story.end - n * HOUR, "worried")) for n in (3, 2, 1, 0)
    ]
    assert hourly == sorted(hourly)
    assert 35 <= hourly[-1] <= 70
    half = story.end - HOUR / 2
    assert len(voices(story, half, story.end, "worried")) > len(
        voices(story, half - HOUR / 2, half, "worried")
    )


def test_every_crisis_post_is_told_once_by_its_own_voice_in_8_to_10_threads(story: Story) -> None:
    texts = crisis_texts("worried", "angry", "calm", "joke", "official")
    told = [(t, p) for t, p in posts_of(story) if p.at >= story.crisis_began and bare(p.text) in texts]
    assert len(told) == len(texts) >= 130
    assert len({p.author for _, p in told if p.author != OFFICIAL}) == len(told) - 1
    threads = {t.title for t, _ in told}
    assert 8 <= len(threads) <= 10
    assert all(BRAND in title for title in threads)
    old = [t for t in story.threads if t.title in threads and t.posts[0].at < story.crisis_began]
    assert len(old) == 3
    languages = Counter(t.language for t, _ in told)
    assert languages["sv"] >= 90
    assert languages["nb"] >= 40


def test_the_feed_reports_the_crisis_and_carries_copies_of_a_press_release(story: Story) -> None:
    assert list(story.articles) == sorted(story.articles, key=lambda article: article.at)
    assert [a.language for a in story.articles if a.at > story.crisis_began] == ["sv", "nb"]
    press = "24 vindskydd längs lederna"
    assert len({a.outlet for a in story.articles if press in a.text}) == 4
    assert len({p.author for _, p in posts_of(story) if press in p.text}) == 3
    assert len({a.path for a in story.articles}) == len(story.articles)


@pytest.mark.parametrize("before", [timedelta(0), HOUR, timedelta(days=10), timedelta(days=34, hours=20)])
def test_until_shows_exactly_what_is_published(story: Story, before: timedelta) -> None:
    now = story.end - before
    shown = story.until(now)
    assert {p.id for _, p in posts_of(shown)} == {p.id for _, p in posts_of(story) if p.at <= now}
    assert {a.id for a in shown.articles} == {a.id for a in story.articles if a.at <= now}
    assert all(thread.posts for thread in shown.threads)
    assert (shown.end, shown.crisis_began) == (story.end, story.crisis_began)


def test_there_are_enough_templates_and_each_can_be_filled() -> None:
    texts = load()
    count = Counter[str]()
    for topic in texts.topics:
        lines = [*topic.replies, *topic.complaints, *topic.worries, *topic.nynorsk]
        starts = {start.tag for start in topic.starts}
        assert all(line.tags <= starts | {"prat"} for line in lines), topic.board
        templates = [line.text for line in lines] + [s.text for s in topic.starts]
        for template in [*templates, *topic.asides, *(s.title for s in topic.starts)]:
            known = {"there": "Mora"} | dict.fromkeys(
                ("place", "phone") if template in templates else (), "X"
            )
            assert "{" not in fill(template, texts.slots[topic.language], Random(1), known)
        count[topic.language] += len(set(templates))
    assert count["sv"] >= 220
    assert count["nb"] >= 170


def test_a_slot_keeps_its_value_and_a_second_one_differs() -> None:
    known: dict[str, str] = {}
    text = fill("{a} {a} {a2}. {a}", {"a": ("x", "y")}, Random(1), known)
    first, same, second, capital = text.replace(".", "").split()
    assert (first.casefold(), same, capital) == (same, same, same.upper())
    assert second != same
    assert known == {"a": same, "a2": second}


@given(st.text(max_size=200), st.sampled_from(["plain", "lower", "ascii", "emoji", "hasty"]), st.integers())
def test_a_habit_of_typing_keeps_the_words_readable(text: str, habit: str, seed: int) -> None:
    typed = in_habit(text, habit, "sv", Random(seed))
    if habit == "hasty":
        assert sorted(typed) == sorted(text)
    if habit == "ascii":
        assert not set("åäöÅÄÖ") & set(typed)
    if habit == "plain":
        assert typed == text


def test_a_slug_is_plain_ascii() -> None:
    assert slug("Fjelltele på tåget: Åre–Mora?") == "fjelltele-pa-taget-are-mora"
    assert slug("Er «Fjøs & ære» nede?") == "er-fjos-aere-nede"
