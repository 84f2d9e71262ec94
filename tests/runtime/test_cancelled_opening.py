"""An opening that is cancelled at any moment leaves a directory that can be opened."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import anyio
import pytest
from anyio.to_thread import run_sync

from lashup import NodeConfig, RunningNode, open_node, register
from lashup.runtime import opening
from lashup.runtime.sqlite_storage import SqliteStorage
from lashup.runtime.threads import run_in_thread


def config(directory: Path) -> NodeConfig:
    return NodeConfig(name="a", bind=("127.0.0.1", 0), data_dir=directory)


class Gate:
    """Holds a storage's call in its thread, done, until it is let go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
        self.is_reached = threading.Event()
        self.go_on = threading.Event()
        inner = getattr(SqliteStorage, call)

        def held(storage: SqliteStorage, *args: object, **named: object) -> object:
            done = inner(storage, *args, **named)
            self.is_reached.set()
            assert self.go_on.wait(timeout=10)
            return done

        monkeypatch.setattr(SqliteStorage, call, held)


@pytest.fixture(params=["__init__", "load", "commit"])
def gate(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Gate:
    return Gate(monkeypatch, request.param)


async def _open(directory: Path) -> RunningNode:
    async with open_node(config(directory)) as node:
        return node


@pytest.mark.parametrize("backend", ["trio", "asyncio"])
def test_a_cancel_scope_lets_go_of_the_directory(
    gate: Gate, backend: str, tmp_path: Path
) -> None:
    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_open, tmp_path)
            await run_sync(gate.is_reached.wait, 10)
            tasks.cancel_scope.cancel()
            gate.go_on.set()
        await _open(tmp_path)

    anyio.run(main, backend=backend)


def test_a_cancelled_task_lets_go_of_the_directory(gate: Gate, tmp_path: Path) -> None:
    async def main() -> None:
        task = asyncio.create_task(_open(tmp_path))
        await run_sync(gate.is_reached.wait, 10)
        task.cancel()
        await asyncio.sleep(0)  # it is told; the call is in its thread all the same
        gate.go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        await _open(tmp_path)

    asyncio.run(main())


def test_a_task_cancelled_as_it_closes_lets_go_of_the_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    calls: list[object] = []

    async def call(function: object, *args: object, **named: object) -> object:
        calls.append(function)
        if getattr(function, "__name__", "") == "close":
            raise asyncio.CancelledError  # before its thread has begun
        return await run_in_thread(function, *args, **named)  # type: ignore[arg-type]

    async def main() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(opening, "run_in_thread", call)
            with pytest.raises(asyncio.CancelledError):
                await _open(tmp_path)
        await _open(tmp_path)

    asyncio.run(main())


def test_a_loop_that_ends_amid_a_commit_loses_nothing_of_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # `asyncio.run` cancels what still runs, and the node's own tasks with it.
    key = ("line", 1)

    async def write(is_open: asyncio.Event, go: asyncio.Event) -> None:
        async with open_node(config(tmp_path)) as node:
            is_open.set()
            await go.wait()
            await node.kv.update(key, register("x").assign(1))

    async def main() -> None:
        is_open, go = asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(write(is_open, go))
        await is_open.wait()
        gate = Gate(monkeypatch, "commit")
        go.set()
        await run_sync(gate.is_reached.wait, 10)
        assert not task.done()
        asyncio.get_running_loop().call_later(0.02, gate.go_on.set)

    async def look() -> None:
        async with open_node(config(tmp_path)) as node:
            assert node.kv.get(key)

    asyncio.run(main())
    asyncio.run(look())
