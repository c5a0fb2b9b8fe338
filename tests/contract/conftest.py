"""The ledgers that every contract test runs on. A new database is one more case in `url`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from listener.ledger import SqlLedger, open_ledger
from listener.ports import Ledger
from tests.databases import database, name_of

LEDGERS = ["sqlite", pytest.param("postgresql", marks=pytest.mark.server)]


@pytest.fixture
def file_url(tmp_path: Path) -> str:
    """Of a ledger in a file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'new folder' / 'ledger.db'}"


@pytest.fixture
def server_url() -> Iterator[str]:
    """Of an empty database on PostgreSQL."""
    with database() as address:
        yield address


@pytest.fixture(params=LEDGERS)
def url(request: pytest.FixtureRequest) -> str:
    """Of a database in which nothing is yet."""
    address: str = request.getfixturevalue("file_url" if request.param == "sqlite" else "server_url")
    return address


@pytest.fixture(scope="session")
def migrated() -> Iterator[str]:
    """The name of a database on PostgreSQL that has the tables: to copy it is cheaper than to make them."""
    with database() as address:
        open_ledger(address).close()
        yield name_of(address)


@pytest.fixture(params=LEDGERS)
def ledger(request: pytest.FixtureRequest) -> Iterator[Ledger]:
    if request.param == "sqlite":
        yield from _opened(request.getfixturevalue("file_url"))
    else:
        with database(request.getfixturevalue("migrated")) as address:
            yield from _opened(address)


@pytest.fixture(scope="module", params=LEDGERS)
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlLedger]:
    if request.param == "sqlite":
        yield from _opened(f"sqlite:///{tmp_path_factory.mktemp('shared') / 'ledger.db'}")
    else:
        with database(request.getfixturevalue("migrated")) as address:
            yield from _opened(address)


def _opened(url: str) -> Iterator[SqlLedger]:
    opened = open_ledger(url)
    yield opened
    opened.close()
