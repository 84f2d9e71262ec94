"""`python -m lashup`: what it says to whom, on the terminal and to scripts."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from lashup import NodeConfig, open_node, register
from lashup.__main__ import main


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    async def fill() -> None:
        async with open_node(NodeConfig(name="a", data_dir=tmp_path / "a")) as node:
            await node.kv.update(("k",), register("r").assign(math.nan))
            await node.kv.update(("l",), register("r").assign([math.inf, b"\x01"]))

    anyio.run(fill)
    return tmp_path / "a"


@pytest.mark.parametrize("command", ["show", "dump"])
def test_a_running_node_is_named_with_the_way_out(tmp_path, capsys, command):
    async def check() -> None:
        async with open_node(NodeConfig(name="a", data_dir=tmp_path / "a")):
            assert main([command, str(tmp_path / "a"), "f"][: 2 + (command == "dump")])

    anyio.run(check)

    said = capsys.readouterr().err
    assert f"in use by the running process {os.getpid()}. Stop" in said
    assert "node.kv.dump()" in said


@pytest.mark.parametrize("content", [b"", b"root:x:0:0", b"\x98\xa1"])
def test_what_is_no_dump_is_said_to_be_none(tmp_path, capsys, content):
    (tmp_path / "f").write_bytes(content)

    assert main(["show", str(tmp_path / "f")]) == 1

    assert capsys.readouterr().err.startswith(f"{tmp_path / 'f'}: no dump of lashup (")


def test_a_file_that_is_there_is_named_with_the_way_out(tmp_path, directory, capsys):
    (tmp_path / "f").touch()

    assert main(["dump", str(directory), str(tmp_path / "f")]) == 1

    said = capsys.readouterr().err
    assert said == f"{tmp_path / 'f'}: exists; a dump goes into a new file\n"


def test_a_missing_file_is_named(tmp_path, capsys):
    assert main(["load", str(tmp_path / "new"), str(tmp_path / "f")]) == 1

    assert capsys.readouterr().err == f"{tmp_path / 'f'}: No such file or directory\n"


def test_a_dump_that_could_not_be_written_whole_is_not_left(
    tmp_path, directory, capsys, monkeypatch
):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert main(["dump", str(directory), str(tmp_path / "f")]) == 1

    assert "No space left" in capsys.readouterr().err
    assert not (tmp_path / "f").exists()


def test_what_json_has_no_form_for_is_text(directory, capsys):
    assert main(["show", str(directory)]) == 0

    def refuse(text: str) -> None:
        raise AssertionError(text)

    lines = capsys.readouterr().out.splitlines()
    one, two = (json.loads(line, parse_constant=refuse) for line in lines)
    assert one["value"] == {"r": "nan"}
    assert two["value"] == {"r": ["inf", "01"]}


def test_dump_and_load_answer_in_json_when_asked(tmp_path, directory, capsys):
    file, new = tmp_path / "f", tmp_path / "new"

    assert main(["dump", str(directory), str(file), "--json"]) == 0
    dumped = json.loads(capsys.readouterr().out)
    assert main(["load", str(new), str(file), "--json"]) == 0
    loaded = json.loads(capsys.readouterr().out)

    size = file.stat().st_size
    assert dumped == {"file": str(file), "facts": 2, "bytes": size}
    assert loaded == {"directory": str(new), "gained": 2, "facts": 2}


@pytest.mark.parametrize("command", ["show", "dump", "load"])
def test_the_help_of_a_command_says_what_each_argument_is(capsys, command):
    with pytest.raises(SystemExit):
        main([command, "--help"])

    said = capsys.readouterr().out
    assert "a data directory" in said
    assert f"example:\n  python -m lashup {command} " in said


def test_a_reader_that_has_seen_enough_is_no_error(directory):
    shown = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m lashup show {directory} | true"],
        capture_output=True,
        check=True,
    )

    assert shown.stderr == b""
