"""The intake on real stores: what is stored, what is kept out, what follows from edits and deletions."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from listener.archive import open_archive
from listener.config import Brand, Policy, Source
from listener.errors import ConfigError, StoreError
from listener.intake import Intake, Tools, expire
from listener.ledger import open_ledger
from listener.mention import Mention, Score
from listener.ports import Archive, Batch, Ledger, Page, Where
from listener.post import Post
from listener.pseudonym import pseudonymiser
from tests.contract.archive_samples import make_score

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SOURCE = Source(
    id="forum",
    kind="forum",
    address="https://forum.example/",
    channel="forum",
    policy=Policy(basis="test", retention=timedelta(days=90), deletions="recrawl"),
)
BRANDS = (
    Brand(id="fjelltele", name="Fjelltele", queries=("fjelltele*",), accounts=("@FjellteleSvar",)),
    Brand(id="polarnett", name="Polarnett", queries=("polarnett",), languages=("nb",)),
)


def identify(texts: Sequence[str], usual: Sequence[Mapping[str, float] | None] | None = None) -> list[str]:
    """What has `ikke` is nb, what is short is what is usual there, the rest is sv."""
    priors = usual or [None] * len(texts)
    return [
        "nb" if "ikke" in text else max(prior, key=lambda its: prior[its]) if prior else "sv"
        for text, prior in zip(texts, priors, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class Bench:
    archive: Archive
    ledger: Ledger
    intake: Intake

    def take(self, *posts: Post, **batch: object) -> None:
        self.intake.take(Batch(posts=list(posts), **batch))  # type: ignore[arg-type]

    def stored(self) -> list[Mention]:
        return self.archive.search(Where())


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    archive = open_archive(f"sqlite:///{tmp_path / 'archive.db'}")
    ledger = open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    tools = Tools.of(BRANDS, pseudonymiser(b"k" * 32), identify)
    yield Bench(archive, ledger, Intake(SOURCE, tools, archive, ledger, clock=lambda: NOW))
    archive.close()
    ledger.close()


def post(native_id: str = "1", text: str = "Fjelltele ligger nere igen", **more: object) -> Post:
    values = {
        "author": "Kalle72",
        "url": "https://forum.example/t/1",
        "published_at": NOW - timedelta(hours=1),
        "thread": "t1",
    }
    return Post(source="forum", native_id=native_id, text=text, **{**values, **more})  # type: ignore[arg-type]


def test_a_post_about_a_brand_is_stored_once_without_its_author(bench: Bench) -> None:
    bench.take(post(text="Fjelltele nere, ring 070-123 45 67"))
    bench.take(post(text="Fjelltele nere, ring 070-123 45 67"))
    (mention,) = bench.stored()
    assert mention.text == "Fjelltele nere, ring [phone]"
    assert mention.brands == ("fjelltele",)
    assert "kalle" not in repr(mention).casefold()
    assert (bench.intake.tally.new, bench.intake.tally.posts) == (1, 2)


def test_the_threads_title_is_enough_and_other_posts_are_not_kept(bench: Bench) -> None:
    bench.take(post("1", "Samma här", title="Fjelltele nere?"), post("2", "Någon som fiskar?", title="Fiske"))
    assert [mention.text for mention in bench.stored()] == ["Samma här"]


@pytest.mark.parametrize("author", ["fjelltelesvar", "@FjellteleSvar", " @FjellteleSvar "])
def test_the_brands_own_account_is_no_customer(bench: Bench, author: str) -> None:
    bench.take(post(author=author, text="Vi på Fjelltele felsöker"))
    assert bench.stored() == []


def test_a_brand_hears_only_its_languages(bench: Bench) -> None:
    bench.take(post("1", "Polarnett är nere"), post("2", "Polarnett virker ikke"))
    assert [mention.text for mention in bench.stored()] == ["Polarnett virker ikke"]


def test_an_edit_is_picked_up_and_one_away_from_the_brand_takes_it_out(bench: Bench) -> None:
    bench.take(post())
    bench.take(post(text="Fjelltele är uppe igen"))
    assert [mention.text for mention in bench.stored()] == ["Fjelltele är uppe igen"]
    bench.take(post(text="Fel tråd, glöm det"))
    assert bench.stored() == []


def test_what_is_gone_upstream_is_erased_and_stays_out(bench: Bench) -> None:
    bench.take(post("1"), post("2", "Fjelltele fungerar fint här"))
    bench.take(gone=["1"])
    assert [mention.text for mention in bench.stored()] == ["Fjelltele fungerar fint här"]
    bench.take(post("1"))
    assert len(bench.stored()) == 1
    assert bench.intake.tally.deleted == 1


def test_what_a_whole_thread_no_longer_shows_is_erased(bench: Bench) -> None:
    bench.take(post("1"), post("2", "Fjelltele fungerar fint"), post("3", "Fjelltele är dyrt", thread="t2"))
    bench.take(thread_complete=[("t1", frozenset({"2"}))])
    assert {mention.text for mention in bench.stored()} == {"Fjelltele fungerar fint", "Fjelltele är dyrt"}


def test_an_erased_author_stays_out(bench: Bench) -> None:
    bench.take(post())
    author = bench.stored()[0].author
    bench.ledger.tombstones.bury(authors=[author], reason="asked", now=NOW)
    bench.archive.erase_author(author)
    bench.take(post("2", "Fjelltele igen"), post("3", "Fjelltele svarar inte", author="guro"))
    assert [mention.text for mention in bench.stored()] == ["Fjelltele svarar inte"]


def test_what_is_kept_long_enough_goes_and_does_not_come_back(bench: Bench) -> None:
    bench.take(post())
    later = NOW + timedelta(days=91)
    assert expire(bench.archive, bench.ledger.tombstones, now=later) == 1
    bench.take(post())
    assert bench.stored() == []


def test_the_frontier_moves_after_the_posts_and_not_without_them(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = Page(source="forum", url="https://forum.example/t/1", role="thread")

    def full(mentions: object) -> None:
        raise StoreError("disk full")

    monkeypatch.setattr(bench.archive, "add", full)
    with pytest.raises(StoreError):
        bench.take(post(), pages=[page], notes={"walk:forum": "done"})
    assert bench.ledger.frontier.get("forum", page.url) is None
    assert bench.ledger.noted("walk:forum") == ""


class Scoring:
    """Remembers what it was asked; raises for texts with "poison"."""

    model = "test"

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def score(self, texts: Sequence[tuple[str, str]]) -> list[Score]:
        self.asked += texts
        if any("poison" in text for text, _ in texts):
            raise RuntimeError("no")
        return [make_score(sentiment=len(text) / 1000) for text, _ in texts]


@pytest.fixture
def scoring(bench: Bench) -> tuple[Bench, Scoring]:
    scorer = Scoring()
    tools = Tools.of(BRANDS, pseudonymiser(b"k" * 32), identify)
    intake = Intake(SOURCE, tools, bench.archive, bench.ledger, clock=lambda: NOW, scorer=scorer)
    return replace(bench, intake=intake), scorer


def test_new_mentions_are_stored_with_the_score_of_what_is_stored(scoring: tuple[Bench, Scoring]) -> None:
    bench, scorer = scoring
    first, second = post("1", "Fjelltele nere, ring 070-123 45 67"), post("2", "Fjelltele är bra")
    bench.take(first)
    bench.take(first, post("3", "om något annat"), second)
    assert scorer.asked == [("Fjelltele nere, ring [phone]", "sv"), ("Fjelltele är bra", "sv")]
    assert {mention.text: mention.score for mention in bench.stored()} == {
        text: make_score(sentiment=len(text) / 1000) for text, _ in scorer.asked
    }


def test_what_was_edited_waits_for_its_score(scoring: tuple[Bench, Scoring]) -> None:
    bench, scorer = scoring
    bench.take(post(text="Fjelltele ligger nere"))
    bench.take(post(text="Fjelltele är uppe igen"))
    assert [mention.text for mention in bench.archive.unscored(9)] == ["Fjelltele är uppe igen"]
    assert len(scorer.asked) == 1


def test_a_scorer_that_fails_stops_nothing(scoring: tuple[Bench, Scoring]) -> None:
    bench, _ = scoring
    bench.take(post("1", "Fjelltele poison"), post("2", "Fjelltele är bra"))
    assert len(bench.archive.unscored(9)) == len(bench.stored()) == 2
    assert bench.intake.tally.new == 2


def test_a_source_without_policy_stores_nothing(bench: Bench) -> None:
    tools = Tools.of(BRANDS, pseudonymiser(b"k" * 32), identify)
    with pytest.raises(ConfigError, match="has no policy"):
        Intake(replace(SOURCE, policy=None), tools, bench.archive, bench.ledger, clock=lambda: NOW)


def test_a_short_post_is_read_as_what_is_usual_in_its_thread(bench: Bench) -> None:
    long = "Fjelltele er nede igjen og vi har ikke nett, slik har det vært siden i går kveld"
    posts = [post(str(at), f"{long} {at}", thread="nede") for at in range(4)]
    posts += [
        post(f"s{at}", f"Fjelltele har legat nere hela kvällen och ingen svarar oss {at}") for at in range(9)
    ]
    bench.take(*posts, post("short", "Fjelltele sover", thread="nede"), post("else", "Fjelltele ja tack"))
    found = {mention.text: mention.language for mention in bench.stored()}
    assert found["Fjelltele sover"] == "nb"
    assert found["Fjelltele ja tack"] == "sv"


def test_few_posts_say_nothing_of_what_is_usual(bench: Bench) -> None:
    bench.take(
        post("1", "Fjelltele er ikke nede, tror jeg, for her hos oss er alt som det skal være"),
        post("2", "Fjelltele ja"),
    )
    assert {m.text: m.language for m in bench.stored()}["Fjelltele ja"] == "sv"
