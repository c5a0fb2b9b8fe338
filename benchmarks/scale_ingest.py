"""Storing in Elasticsearch beside the bare client library with the same documents, in turns on the same server.

Ours does what a mention needs: known ids and edits are looked for, copies found, every item's answer read. With a journal
beside it (PostgreSQL) it is what production does: each mention is also written to the ledger first."""

import random
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

from elasticsearch import Elasticsearch
from elasticsearch.helpers import streaming_bulk

from benchmarks.archive import BATCH, make_mentions, make_score
from listener.archive import open_archive
from listener.archive.elastic import template
from listener.archive.elastic.documents import Standing, document
from listener.archive.elastic.names import Names
from listener.ledger import open_ledger
from listener.mention import Mention
from listener.ports import Archive
from tests import databases, services


def measure(number: int, rounds: int) -> dict[str, Any]:
    chance = random.Random(3)
    mentions = [replace(mention, score=make_score(chance)) for mention in make_mentions(number)]
    rates: dict[str, list[float]] = {
        "bare streaming_bulk": [],
        "Archive.add": [],
        "Archive.add with journal": [],
    }
    try:
        for _ in range(rounds):
            with own_indices() as address:
                rates["bare streaming_bulk"].append(number / _bare(address, mentions))
            with own_indices() as address:
                rates["Archive.add"].append(number / _added(open_archive(address), mentions))
            with own_indices() as address, ExitStack() as stack:
                ledger = open_ledger(stack.enter_context(databases.database()))
                stack.callback(ledger.close)
                archive = open_archive(address, journal=ledger.journal)
                rates["Archive.add with journal"].append(number / _added(archive, mentions))
    finally:
        services.stop_started()
    middle = {name: statistics.median(found) for name, found in rates.items()}
    bare = middle["bare streaming_bulk"]
    return {
        "mentions": number,
        "batch": BATCH,
        **{f"{name}, a second": round(rate) for name, rate in middle.items()},
        **{
            f"{name}, share of bare": round(rate / bare, 3)
            for name, rate in middle.items()
            if rate is not bare
        },
        "rounds": {name: [round(rate) for rate in found] for name, found in rates.items()},
    }


@contextmanager
def own_indices() -> Iterator[str]:
    """The address of an archive of its own, removed at the end."""
    address = f"{services.elasticsearch()}/bench-{random.SystemRandom().getrandbits(32):08x}"
    names = Names.of(address)
    client = Elasticsearch(names.address, request_timeout=60)
    try:
        yield address
    finally:
        template.drop(client, names)
        client.close()


def _bare(address: str, mentions: Sequence[Mention]) -> float:
    names = Names.of(address)
    client = Elasticsearch(names.address, request_timeout=60)
    template.ensure(client, names)
    actions = [
        {
            "_op_type": "create",
            "_index": names.index(mention.published_at),
            "_id": mention.id,
            "_source": document(mention, Standing(stored=at, cluster=mention.id)),
        }
        for at, mention in enumerate(mentions)
    ]
    began = time.perf_counter()
    for ok, item in streaming_bulk(client, actions, chunk_size=BATCH):
        assert ok, item
    taken = time.perf_counter() - began
    client.close()
    return taken


def _added(archive: Archive, mentions: Sequence[Mention]) -> float:
    archive.total()  # connects, and installs the template, as the bare side did
    began = time.perf_counter()
    for start in range(0, len(mentions), BATCH):
        archive.add(mentions[start : start + BATCH])
    taken = time.perf_counter() - began
    archive.close()
    return taken
