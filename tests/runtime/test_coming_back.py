"""Nodes whose disks were away for longer than removals are remembered."""

from __future__ import annotations

import struct
import time
from dataclasses import replace
from pathlib import Path

import pytest

from lashup import NodeConfig, Outdated, RunningNode, UsageError, open_node, register
from lashup.__main__ import main as command_line
from lashup.kv.absence import DAY
from lashup.kv.rows import META_TABLE
from lashup.machine import Persist
from lashup.runtime.sqlite_storage import SqliteStorage
from tests.runtime.loops import run
from tests.runtime.test_table import config as default_config


def config(name: str, *seeds: RunningNode, data_dir: Path) -> NodeConfig:
    return replace(default_config(name, *seeds, data_dir=data_dir), retire_after=90)


KEY = ("k",)


def _set_days(directory: Path, *, horizon: int, ran: int) -> None:
    """Let a disk be of another day, in days before today."""
    today = int(time.time() // DAY)
    days = (today - horizon if horizon else 0, 0, today - ran)
    with SqliteStorage(directory, cluster="tests") as storage:
        row = (META_TABLE, b"retirement", struct.pack(">HHH", *days))
        storage.commit([Persist(1, (row,), ())])


def test_a_disk_that_was_away_for_too_long_drops_what_nobody_else_knows(
    backend: str, tmp_path: Path
) -> None:
    here, away = tmp_path / "here", tmp_path / "away"

    async def main() -> None:
        async with open_node(config("b", data_dir=away)) as b:
            await b.kv.update(KEY, register("old").assign(1))
        async with open_node(config("a", data_dir=here)) as a:
            await a.kv.update(KEY, register("new").assign(1))
        _set_days(away, horizon=0, ran=200)
        _set_days(here, horizon=100, ran=0)

        async with (
            open_node(config("a", data_dir=here)) as a,
            open_node(config("b", a, data_dir=away)) as b,
            b.events() as events,
        ):
            await b.kv.update(KEY, register("mine").assign(2))
            async for event in events:
                if isinstance(event, Outdated):
                    break
            expected = {"new": 1, "mine": 2}
            await a.wait_until(lambda: a.kv.get(KEY).plain() == expected)
            await b.wait_until(lambda: b.kv.get(KEY).plain() == expected)
            assert event == Outdated(1)
            assert b.statistics()["kv_facts_outdated"] == 1

        # Nothing is lost: who wants it back gets it back.
        dropped = tmp_path / "dropped"
        assert command_line(["dump", str(away), str(dropped), "--dropped"]) == 0
        async with open_node(config("a", data_dir=here)) as a:
            assert await a.kv.load(dropped.read_bytes(), outdated=True) == 1
            assert a.kv.get(KEY).plain() == {"mine": 2, "new": 1, "old": 1}

    run(backend, main)


def test_an_outdated_dump_is_loaded_only_when_that_is_said(
    backend: str, tmp_path: Path
) -> None:
    async def main() -> None:
        async with open_node(config("a", data_dir=tmp_path)) as a:
            await a.kv.update(KEY, register("r").assign(1))
            dump = await a.kv.dump()
        _set_days(tmp_path, horizon=-1, ran=0)
        async with open_node(config("a", data_dir=tmp_path)) as a:
            with pytest.raises(UsageError, match="outdated=True"):
                await a.kv.load(dump)
            assert await a.kv.load(dump, outdated=True) == 0

    run(backend, main)


def test_a_machine_that_slept_for_long_writes_by_another_actor(
    backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async with open_node(config("a", data_dir=tmp_path)) as a:
            await a.kv.update(KEY, register("before").assign(1))

            real = time.time
            monkeypatch.setattr(time, "time", lambda: real() + 100 * DAY)
            # At once: no tick comes first.
            await a.kv.update(KEY, register("after").assign(2))

            assert a.statistics()["kv_actors"] == 2

    run(backend, main)
