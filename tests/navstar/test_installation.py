"""`navstar install`: what an operator has changed stays."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from navstar.cli import app

UNIT = "etc/systemd/system/navstar.service"


def install(root: Path, *options: str) -> str:
    done = CliRunner().invoke(app, ["install", "--root", str(root), *options])
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    install(tmp_path)
    (tmp_path / UNIT).write_text("mine")
    return tmp_path


def test_a_file_that_was_changed_is_kept_and_named(changed: Path) -> None:
    said = install(changed)

    assert (changed / UNIT).read_text() == "mine"
    assert f"{changed / UNIT} says something else: kept" in said
    assert "--force" in said


def test_scripts_are_told_too(changed: Path) -> None:
    answer = json.loads(install(changed, "--json"))

    assert answer == {"written": [], "kept": [str(changed / UNIT)]}


def test_who_says_so_gets_it_overwritten(changed: Path) -> None:
    answer = json.loads(install(changed, "--json", "--force"))

    assert answer == {"written": [str(changed / UNIT)], "kept": []}
    assert "[Unit]" in (changed / UNIT).read_text()


def test_a_unit_begins_a_program_by_its_whole_path(tmp_path: Path) -> None:
    arguments = ["install", "--root", str(tmp_path), "--program", "bin/navstar"]
    done = CliRunner().invoke(app, arguments)

    assert done.exit_code == 2
    assert "absolute path" in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("home", ["/root", "/home/me", "/run/user/0"])
def test_a_program_that_the_unit_would_not_see_is_warned_of(tmp_path, home) -> None:
    program = f"{home}/clone/.venv/bin/navstar"
    arguments = ["install", "--root", str(tmp_path), "--program", program]
    done = CliRunner().invoke(app, arguments)

    assert done.exit_code == 0
    assert f"warning: {program} is below a home directory" in done.stderr
    assert "ProtectHome=yes" in done.stderr


def test_the_usual_place_is_not_warned_of(tmp_path) -> None:
    program = "/opt/navstar/bin/navstar"
    done = CliRunner().invoke(app, ["install", "--program", program])

    assert done.stderr == ""
