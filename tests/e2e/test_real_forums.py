"""Real forums, started here on loopback, read by the whole chain as an operator would run it, and then kept up with."""

import html
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from infra.servers import seedtext
from tests import services

SERVERS = Path(__file__).parents[2] / "infra" / "servers"
pytestmark = [pytest.mark.server, pytest.mark.slow]


def run(*command: str | Path, within: float = 900, folder: Path | None = None) -> str:
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=within, cwd=folder
    )
    assert done.returncode == 0, done.stdout[-500:] + done.stderr[-1500:]
    return done.stdout.strip()


@dataclass(frozen=True)
class Engine:
    name: str
    address: str
    seed: str
    change: str
    server: str = ""
    """Another server that it needs."""


ENGINES = [
    Engine(
        "misago",
        f"http://127.0.0.1:{os.environ.get('MISAGO_PORT', '18102')}/",
        "seed-misago.py",
        "change-misago.py",
        "postgres",
    ),
    Engine(
        "wordpress",
        f"http://127.0.0.1:{os.environ.get('WORDPRESS_PORT', '18105')}/",
        "seed-wordpress.sh",
        "change-wordpress.sh",
    ),
]


@pytest.fixture(scope="module", params=ENGINES, ids=lambda engine: engine.name)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    engine: Engine = request.param
    try:
        if engine.server:
            services.address(engine.server)
        run(SERVERS / f"start-{engine.name}.sh")
        run(SERVERS / engine.seed)
        yield engine
    finally:
        run(SERVERS / "stop.sh", engine.name)


class Listener:
    """`lyhord` on a configuration of its own: a real ledger and a real archive, in files."""

    def __init__(self, folder: Path, address: str) -> None:
        self._folder = folder
        self._run("init", "lyhord.toml", "--brand", "Fjelltele", "--source", address)

    def _run(self, *arguments: str) -> list[str]:
        command = [sys.executable, "-m", "console", *arguments]
        return run(*command, within=300, folder=self._folder).splitlines()

    def collect(self, *arguments: str) -> dict[str, Any]:
        tally: dict[str, Any] = json.loads(self._run("collect", "--json", *arguments)[-1])
        return tally

    def mentions(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._run("search", "", "--json", "--limit", "10000")]


def plain(text: str) -> str:
    """Engines turn straight quotes into curly ones."""
    return " ".join(html.unescape(text).replace("“", '"').replace("”", '"').replace("’", "'").split())


def told() -> Counter[tuple[str, datetime]]:
    return Counter(
        (plain(post["text"]), post["when"]) for thread in seedtext.threads() for post in thread["posts"]
    )


def stored(listener: Listener) -> Counter[tuple[str, datetime]]:
    return Counter((plain(m["text"]), datetime.fromisoformat(m["published_at"])) for m in listener.mentions())


def test_every_post_once_then_only_what_changed(engine: Engine, tmp_path: Path) -> None:
    listener = Listener(tmp_path, engine.address)
    first = listener.collect()
    assert stored(listener) == told()
    assert (first["new"], first["reason"]) == (237, "")
    before = {m["id"]: m["text"] for m in listener.mentions()}

    second = listener.collect()
    assert (second["new"], second["edited"], second["deleted"]) == (0, 0, 0)
    assert second["pages"] < 0.2 * first["pages"]

    number = run(SERVERS / engine.change, "add", "Nytt inlägg om Fjelltele")
    third = listener.collect()
    added = {m["id"]: m["text"] for m in listener.mentions() if m["id"] not in before}
    assert list(added.values()) == ["Nytt inlägg om Fjelltele"]
    assert third["pages"] <= 5

    run(SERVERS / engine.change, "edit", number, "Rättat inlägg om Fjelltele")
    fourth = listener.collect("--recheck")
    assert (fourth["new"], fourth["edited"], fourth["deleted"]) == (0, 1, 0)
    after = {m["id"]: m["text"] for m in listener.mentions()}
    assert after == before | dict.fromkeys(added, "Rättat inlägg om Fjelltele")

    run(SERVERS / engine.change, "delete", number)
    fifth = listener.collect("--recheck")
    assert (fifth["new"], fifth["edited"], fifth["deleted"]) == (0, 0, 1)
    assert {m["id"]: m["text"] for m in listener.mentions()} == before
