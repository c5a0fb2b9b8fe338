"""Databases of the tests' own on the real PostgreSQL (`tests.services`)."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql
from sqlalchemy.engine import make_url

from tests import services


@contextmanager
def database(template: str = "template1") -> Iterator[str]:
    """The address of a new database, a copy of `template`; dropped afterwards, whoever is still connected."""
    name = f"lyhord_{os.urandom(8).hex()}"
    _as_superuser(sql.SQL("CREATE DATABASE {} TEMPLATE {}"), name, template)
    try:
        url = make_url(services.postgresql()).set(database=name)
        yield url.render_as_string(hide_password=False)
    finally:
        _as_superuser(sql.SQL("DROP DATABASE {} WITH (FORCE)"), name)


def name_of(url: str) -> str:
    """The database's."""
    return make_url(url).database or ""


def _as_superuser(statement: sql.SQL, *names: str) -> None:
    with psycopg.connect(services.postgresql(), autocommit=True) as connection:
        connection.execute(statement.format(*map(sql.Identifier, names)))
