"""Where the demo keeps its things when servers are named: under names of its own, so that it finds nothing there and leaves
nothing. Passwords go to this process's environment, which its crawls inherit, and never into the file."""

import secrets as random_source
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

import psycopg
from elasticsearch import Elasticsearch
from kombu.connection import Connection
from psycopg import sql
from redis import Redis

from listener import settings
from listener.archive.elastic import template
from listener.archive.elastic.names import Names
from listener.errors import StoreError
from workers.app import NAMES, broker_settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """Addresses for the file, without passwords; "": what `lyhord demo` brings itself. `names`: what the queues' names begin
    with."""

    archive: str = ""
    broker: str = ""
    ledger: str = ""
    names: str = NAMES


@contextmanager
def rooms(archive: str, broker: str, ledger: str) -> Iterator[Servers]:
    """A place of the demo's own on each of the servers, while the block lasts. An archive's address with a path is taken as it
    is, and left. Raises ConfigError, StoreError."""
    names = f"lyhord-demo-{random_source.token_hex(4)}"
    shown_broker, broker_password = settings.split_password(broker)
    shown_ledger, ledger_password = settings.split_password(ledger)
    settings.hand_down(broker_password=broker_password, ledger_password=ledger_password)
    with ExitStack() as stack:
        if archive.startswith("http") and not urlsplit(archive).path.strip("/"):
            archive = f"{archive.rstrip('/')}/{names}"
            stack.callback(drop_indices, archive)
        if ledger.startswith("postgresql://"):
            schema = names.replace("-", "_")
            _make_schema(ledger, shown_ledger, schema)
            stack.callback(_drop_schema, ledger, schema)
            options = quote(f"-csearch_path={schema}", safe="")
            shown_ledger += f"{'&' if '?' in shown_ledger else '?'}options={options}"
        if broker.startswith("redis"):
            stack.callback(forget_keys, broker, f"{names}:*")
        elif broker.startswith("amqp"):
            stack.callback(delete_queues, broker, names)
        yield Servers(archive=archive, broker=shown_broker, ledger=shown_ledger, names=names)


def _make_schema(url: str, shown: str, schema: str) -> None:
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
    except psycopg.Error as e:
        said = str(e).splitlines()[0][:200]
        raise StoreError(
            f"--ledger {shown}: {said}; want a database in which we may create a schema"
        ) from None


def _drop_schema(url: str, schema: str) -> None:
    with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
        connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(schema)))


def drop_indices(url: str) -> None:
    names = Names.of(url)
    with Elasticsearch(names.address, api_key=settings.load_secrets().archive_api_key or None) as client:
        template.drop(client, names)


def forget_keys(url: str, pattern: str) -> None:
    with Redis.from_url(url) as redis:
        for key in redis.scan_iter(match=pattern, count=1000):
            redis.delete(key)


def delete_queues(url: str, names: str) -> None:
    with Connection(url) as connection:  # type: ignore[no-untyped-call]
        channel = connection.default_channel
        for queue in broker_settings(url, names)["task_queues"]:
            channel.queue_delete(queue)
        channel.exchange_delete(names)
