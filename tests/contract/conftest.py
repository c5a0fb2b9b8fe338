"""The ledgers that every contract test runs on. A new database is one more case in `url`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from listener.ledger import SqlLedger, open_ledger
from listener.ports import Ledger


@pytest.fixture(params=["sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'new folder' / 'ledger.db'}"


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    opened = open_ledger(url)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlLedger]:
    opened = open_ledger(f"sqlite:///{tmp_path_factory.mktemp('shared') / 'ledger.db'}")
    yield opened
    opened.close()
