"""Children that a process forks have no part in its node."""

from __future__ import annotations

import os
import select
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from lashup import NodeConfig, open_node, register
from lashup.machine import Persist
from lashup.runtime.sqlite_storage import SqliteStorage

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")


def child(what: Callable[[], object] = lambda: None) -> tuple[int, int]:
    """Fork one that does something, tells, and lives until its pipe is closed."""
    told, tell = os.pipe()
    gate, open_gate = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            what()
            os.close(open_gate)
            os.write(tell, b"1")
            os.read(gate, 1)
        finally:
            os._exit(0)
    os.close(tell)
    os.close(gate)
    ready, _, _ = select.select([told], [], [], 10)
    has_told = bool(ready) and os.read(told, 1) == b"1"
    os.close(told)
    assert has_told
    return pid, open_gate


@contextmanager
def children() -> Iterator[list[tuple[int, int]]]:
    """Those that are put there end with the context."""
    forked: list[tuple[int, int]] = []
    try:
        yield forked
    finally:
        for pid, open_gate in forked:
            os.close(open_gate)
            os.waitpid(pid, 0)


def test_a_node_opens_again_though_a_child_lives(backend: str, tmp_path: Path) -> None:
    async def main() -> None:
        config = NodeConfig(name="a", bind=("127.0.0.1", 0), data_dir=tmp_path)
        with children() as forked:
            async with open_node(config) as node:
                forked.append(child())
                config = replace(config, bind=node.address)
            async with open_node(config):
                pass

    anyio.run(main, backend=backend)


def test_a_wire_ends_with_its_node_though_a_child_lives(backend: str) -> None:
    async def main() -> None:
        with children() as forked, socket.socket() as peer:
            async with open_node(NodeConfig(name="a", bind=("127.0.0.1", 0))) as node:
                with anyio.fail_after(10):
                    while not node.statistics()["tripwire_held"]:
                        peer.connect_ex(node.address)
                        await anyio.sleep(0.01)
                forked.append(child())
            peer.settimeout(5)
            assert peer.recv(1) == b""

    anyio.run(main, backend=backend)


def test_a_child_that_closes_what_it_inherited_takes_no_write_along(
    tmp_path: Path,
) -> None:
    with SqliteStorage(tmp_path / "a", cluster="c") as storage, children() as forked:
        storage.commit([put(b"before")])
        forked.append(child(storage.close))

        storage.commit([put(b"behind")])

        shutil.copytree(tmp_path / "a", tmp_path / "as a crash leaves it")
    with SqliteStorage(tmp_path / "as a crash leaves it", cluster="c") as found:
        assert found.load()["fact"].keys() == {b"before", b"behind"}


async def test_a_node_goes_on_beside_a_child(tmp_path: Path) -> None:
    config = NodeConfig(name="a", bind=("127.0.0.1", 0), data_dir=tmp_path)
    async with open_node(config) as a:
        with children() as forked:
            forked.append(child())
            beside = NodeConfig(name="b", bind=("127.0.0.1", 0), seeds=(a.address,))
            async with open_node(beside) as b:
                await a.kv.update(("line", 1), register("x").assign(1))
                with anyio.fail_after(10):
                    await b.wait_until(lambda: bool(b.kv.get(("line", 1))))


def put(key: bytes) -> Persist:
    return Persist(ticket=0, puts=(("fact", key, b"value"),))
