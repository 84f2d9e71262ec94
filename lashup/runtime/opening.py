"""From a configuration to a running node, and to its orderly end."""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager

import anyio

from lashup.config import NodeConfig
from lashup.errors import MalformedDatagram, StorageError
from lashup.identity import Identity, next_start
from lashup.node import Node
from lashup.runtime.agent import RunningNode
from lashup.runtime.collector import Collector
from lashup.runtime.memory_storage import MemoryStorage
from lashup.runtime.seeding import Seeding, SeedSource
from lashup.runtime.sqlite_storage import SqliteStorage
from lashup.runtime.storage import Storage
from lashup.runtime.threads import run_in_thread
from lashup.runtime.udp import UdpEndpoint


@asynccontextmanager
async def open_node(
    config: NodeConfig,
    *,
    storage: Storage | None = None,
    seed_source: SeedSource | None = None,
    freeze_table: bool = False,
) -> AsyncIterator[RunningNode]:
    """Run a node as long as the context lasts.

    Leaving the context without `leave()` looks like a crash to the others: for a
    restart that is what you want, as nothing is announced twice.

    Args:
        config: What the node is told.
        storage: Where to keep things instead of `config.data_dir`; closed at the end.
        seed_source: Names the seeds, which may change while the node runs: it is
            asked at the start and every 5 s while the node is alone, in a thread.
            Until it has said something those of `config` are tried.
            What it raises is told as `SeedsUnread`.
        freeze_table: Take the table out of the garbage collector's sight as it grows
            (`gc.freeze`, for the whole process): a table of 100,000 facts makes each
            full collection 0.6 s long. For a process that is there for this node.

    Raises:
        ConfigError: An address cannot be bound.
        StorageError: The data directory cannot be used, or fails later.
    """
    store = storage if storage is not None else await _open_storage(config)
    try:
        tables = await run_in_thread(store.load)
        # Boot ids, and so nonces, come from here: they must never come twice.
        entropy = random.SystemRandom()
        with _damage(config):
            identity = next_start(tables, rng=entropy, wall=time.time())
        rng = random.Random(entropy.getrandbits(256))
        await run_in_thread(store.commit, [identity.save()])
        with UdpEndpoint(config.bind_addresses) as endpoint, _single_errors():
            running = _compose(config, identity, endpoint, store, tables, rng)
            async with anyio.create_task_group() as tasks:
                await tasks.start(running._run)  # noqa: SLF001
                tasks.start_soon(running._disk.run)  # noqa: SLF001
                if config.membership.tripwires:
                    tasks.start_soon(running._tripwires.run)  # noqa: SLF001
                await running.join(config.seeds)
                if freeze_table:
                    running._collector = Collector()  # noqa: SLF001
                if seed_source is not None:
                    seeding = Seeding(
                        seed_source,
                        is_alone=lambda: len(running.live_members()) < 2,
                        join=running.join,
                        tell=running._events.send,  # noqa: SLF001
                    )
                    tasks.start_soon(seeding.run)
                try:
                    yield running
                finally:
                    running._close()  # noqa: SLF001
                    tasks.cancel_scope.cancel()
    finally:
        await _close(store)


async def _open_storage(config: NodeConfig) -> Storage:
    if config.data_dir is None:
        return MemoryStorage()
    directory = config.data_dir
    opened: list[Storage] = []
    try:
        await run_in_thread(
            lambda: opened.append(SqliteStorage(directory, cluster=config.cluster))
        )
    except BaseException:  # cancelled: it may be open all the same, and hold its lock
        for storage in opened:
            storage.close()
        raise
    return opened[0]


async def _close(storage: Storage) -> None:
    with anyio.CancelScope(shield=True):
        try:
            await run_in_thread(storage.close)
        except anyio.get_cancelled_exc_class():  # asyncio's own, which knows no shield
            storage.close()  # It may not have begun; once more does nothing.
            raise


def _compose(
    config: NodeConfig,
    identity: Identity,
    endpoint: UdpEndpoint,
    storage: Storage,
    tables: Mapping[str, Mapping[bytes, bytes]],
    rng: random.Random,
) -> RunningNode:
    addresses = tuple(config.advertise or endpoint.addresses)
    with _damage(config):
        node = Node(
            config,
            identity,
            addresses=addresses,
            tables=tables,
            rng=rng,
            now=anyio.current_time(),
            wall=time.time(),
        )
    return RunningNode(
        node,
        config=config,
        endpoint=endpoint,
        storage=storage,
        addresses=addresses,
    )


@contextmanager
def _damage(config: NodeConfig) -> Iterator[None]:
    """Rows that do not parse are the disk's fault here, and nobody else's."""
    try:
        yield
    except MalformedDatagram as error:
        raise StorageError(
            f"{config.data_dir}: holds rows that this version did not write ({error}); "
            "restore a backup, or move the directory away to start as a new node"
        ) from error


@contextmanager
def _single_errors() -> Iterator[None]:
    """One error in a task group is that error, not a group of one.

    A group of the user's own is one error, and comes out as it was raised.
    """
    try:
        yield
    except BaseExceptionGroup as group:
        if len(group.exceptions) > 1:
            raise
        error = group.exceptions[0]
        raise error from error.__cause__
