"""`python -m lashup`: tables that no node has open."""

from __future__ import annotations

import json
import struct
import time
from pathlib import Path

import anyio
import pytest

from lashup import NodeConfig, add_wins_set, counter, open_node, register
from lashup.__main__ import main
from lashup.kv.rows import META_TABLE
from lashup.machine import Persist
from lashup.runtime.sqlite_storage import SqliteStorage


def _filled(directory: Path) -> Path:
    async def fill() -> None:
        async with open_node(NodeConfig(name="a", data_dir=directory)) as node:
            await node.kv.update(("k", 1), register("r").assign(b"\x01"))
            await node.kv.update(("k", 2), add_wins_set("s").add("e", 7))
            await node.kv.update(("k", 2), counter("c").increment())
            await node.kv.update(("k", 2), register("r").assign(1))
            await node.kv.update(("k", 2), register("r").remove())

    anyio.run(fill, backend="trio")
    return directory


def _shown(source: Path, capsys: pytest.CaptureFixture[str]) -> list[object]:
    capsys.readouterr()
    assert main(["show", str(source)]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_table_is_the_same_shown_dumped_and_loaded(tmp_path, capsys):
    source, dump, target = _filled(tmp_path / "a"), tmp_path / "d", tmp_path / "b"

    assert main(["dump", str(source), str(dump)]) == 0
    assert main(["load", str(target), str(dump)]) == 0
    assert main(["load", str(target), str(dump)]) == 0

    assert "+0 facts, now 4" in capsys.readouterr().out
    expected = [
        {"key": ["k", 1], "value": {"r": "01"}},
        {"key": ["k", 2], "value": {"c": 1, "s": ["e", 7]}},
    ]
    for place in (source, dump, target):
        assert _shown(place, capsys) == expected


@pytest.mark.parametrize("command", ["show", "dump", "load"])
def test_what_cannot_be_read_is_named_and_nothing_is_made(tmp_path, capsys, command):
    bad = tmp_path / "bad"
    bad.write_bytes(b"no dump")
    arguments = {
        "show": [str(bad)],
        "dump": [str(tmp_path), str(tmp_path / "new")],
        "load": [str(tmp_path / "new"), str(bad)],
    }

    assert main([command, *arguments[command]]) == 1

    said = capsys.readouterr().err
    assert str(tmp_path) in said
    assert "Traceback" not in said
    assert not (tmp_path / "new").exists()


def test_a_dump_is_never_written_over_another_file(tmp_path, capsys):
    source, dump = _filled(tmp_path / "a"), tmp_path / "d"
    dump.write_text("precious")

    assert main(["dump", str(source), str(dump)]) == 1

    assert dump.read_text() == "precious"
    assert "exists" in capsys.readouterr().err


def test_the_directory_of_a_running_node_is_left_alone(tmp_path, capsys):
    async def run() -> None:
        async with open_node(NodeConfig(name="a", data_dir=tmp_path)):
            assert main(["show", str(tmp_path)]) == 1

    anyio.run(run, backend="trio")

    assert str(tmp_path) in capsys.readouterr().err


def _set_days(directory: Path, *days: int) -> None:
    """The horizon, since when it is away, and the last day on which it ran."""
    with SqliteStorage(directory, cluster="lashup") as storage:
        row = (META_TABLE, b"retirement", struct.pack(">HHH", *days))
        storage.commit([Persist(1, (row,), ())])


def _days(directory: Path) -> tuple[int, ...]:
    with SqliteStorage(directory, cluster="lashup") as storage:
        return struct.unpack(">HHH", storage.load()[META_TABLE][b"retirement"])


@pytest.mark.parametrize("days", [(0, 0, 20_000), (0, 20_000, 20_100)])
def test_a_dump_of_a_disk_that_was_off_is_as_old_as_the_disk(tmp_path, capsys, days):
    source, target = _filled(tmp_path / "a"), _filled(tmp_path / "b")
    dump = tmp_path / "dump"
    _set_days(source, *days)
    _set_days(target, 20_001, 0, 20_100)

    assert main(["dump", str(source), str(dump)]) == 0

    assert main(["load", str(target), str(dump)]) == 1
    assert "--outdated" in capsys.readouterr().err


def test_a_new_directory_is_as_old_as_the_dump_that_is_loaded(tmp_path):
    source, dump = _filled(tmp_path / "a"), tmp_path / "dump"
    _set_days(source, 0, 0, 20_000)
    assert main(["dump", str(source), str(dump)]) == 0

    assert main(["load", str(tmp_path / "b"), str(dump)]) == 0
    assert main(["load", str(tmp_path / "c"), str(dump), "--outdated"]) == 0

    assert _days(tmp_path / "b") == (0, 20_000, 20_000)
    assert _days(tmp_path / "c")[1] >= int(time.time() // 86_400)


@pytest.mark.parametrize("order", [("old", "new"), ("new", "old")])
def test_a_directory_is_as_old_as_the_oldest_dump_that_is_loaded(tmp_path, order):
    for name, day in (("old", 20_000), ("new", 20_300)):
        source = _filled(tmp_path / name)
        _set_days(source, 0, 0, day)
        assert main(["dump", str(source), str(tmp_path / f"{name}.dump")]) == 0

    for name in order:
        assert main(["load", str(tmp_path / "b"), str(tmp_path / f"{name}.dump")]) == 0

    assert _days(tmp_path / "b") == (0, 20_000, 20_000)


def test_a_dump_by_a_clock_that_was_ahead_makes_no_directory_of_a_day_to_come(tmp_path):
    source, dump = _filled(tmp_path / "a"), tmp_path / "dump"
    _set_days(source, 0, 0, 60_000)
    assert main(["dump", str(source), str(dump)]) == 0

    assert main(["load", str(tmp_path / "b"), str(dump)]) == 0

    assert _days(tmp_path / "b")[1] <= int(time.time() // 86_400)


def test_an_outdated_dump_is_loaded_only_when_that_is_said(tmp_path, capsys):
    made = tmp_path / "made"
    _filled(made)
    dump = tmp_path / "dump"
    assert main(["dump", str(made), str(dump)]) == 0
    with SqliteStorage(made, cluster="lashup") as storage:
        # The horizon, not away, and the last day that it ran.
        state = struct.pack(">HHH", 60_000, 0, 60_000)
        storage.commit([Persist(1, ((META_TABLE, b"retirement", state),), ())])

    assert main(["load", str(made), str(dump)]) == 1
    assert "--outdated" in capsys.readouterr().err
    assert main(["load", str(made), str(dump), "--outdated"]) == 0
