"""Kinds of source: found by looking, one module each, each with recorded input."""

import sys
from pathlib import Path

import pytest

from listener.errors import ConfigError
from spiders.collector import Report
from spiders.registry import check_options, collector, collectors, gather
from tests.spiders.reading import make_source

FIXTURES = Path(__file__).parent.parent / "fixtures"


def test_feed_and_reddit_are_known() -> None:
    assert {"feed", "reddit"} <= set(collectors())


def test_every_kind_has_recorded_input_and_stands_in_its_own_module() -> None:
    for kind, one in collectors().items():
        recorded = [path for path in (FIXTURES / kind).glob("**/*") if path.is_file()]
        assert recorded, f"tests/fixtures/{kind}/ is empty"
        assert collector(kind) is one


def test_an_unknown_kind_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"source 's': source kind 'fed' is unknown; known: feed, .*reddit"):
        check_options(make_source("https://x.example/", id="s", kind="fed"))


def test_options_are_checked_strictly() -> None:
    check_options(make_source("https://x.example/", kind="feed", options={"follow_link": False}))
    for options, words in (
        (
            {"folow_link": True},
            "source 'test', options: got unknown key 'folow_link'; feed knows follow_link",
        ),
        ({"follow_link": "perhaps"}, "source 'test', options.follow_link: got 'perhaps'"),
    ):
        with pytest.raises(ConfigError) as wrong:
            check_options(make_source("https://x.example/", kind="feed", options=options))
        assert words in str(wrong.value)


def test_two_modules_of_one_kind_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "twins"
    folder.mkdir()
    for name in ("__init__", "a", "b"):
        code = "class C:\n    kind = 'same'\nCOLLECTOR = C()\n" if name != "__init__" else ""
        (folder / f"{name}.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ConfigError, match=r"twins\.b and twins\.a: both say they are of kind 'same'"):
        gather([str(folder)], "twins")
    for name in ("twins", "twins.a", "twins.b"):
        sys.modules.pop(name, None)


def test_a_report_keeps_the_first_error_and_counts_warnings() -> None:
    report = Report()
    report.fail("first", retry_after=3)
    report.fail("second", permanent=True)
    for number in range(40):
        report.warn(f"odd {number % 25}")
    report.warn("odd 0")
    tally = report.tally()
    assert (tally.error, tally.permanent, tally.retry_after) == ("first", False, 3)
    assert tally.warnings[0] == "odd 0 (3 times)"
    assert (len(tally.warnings), tally.warnings[-1]) == (21, "5 more warnings")


def test_a_wrong_post_is_counted_not_raised() -> None:
    report = Report()
    assert report.post(source="s", native_id="1", url="javascript:x", text="t", published_at=None) is None
    assert report.tally().invalid == 1
