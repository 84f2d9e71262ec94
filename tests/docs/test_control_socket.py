"""The page on the control socket lists what a real daemon answers, no more, no less."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from navstar.control import request
from navstar.lab.agents import socket_path
from navstar.lab.laboratory import open_lab
from navstar.lab.record import DIRECTORY_VARIABLE
from navstar.lab.topology import Topology

pytestmark = pytest.mark.kernel

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/reference/control-socket.md").read_text(encoding="utf-8")


def section(heading: str) -> str:
    """The text below a heading, up to the next one."""
    return PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def documented(heading: str) -> set[str]:
    """Names in the first column of the section's first table."""
    _, _, table = section(heading).partition("| field | |\n|---|---|\n")
    rows = table.partition("\n\n")[0].splitlines()
    return {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])}


@pytest.fixture(scope="module")
def ask(tmp_path_factory):
    """Ask the daemon of one of two real agents."""
    with pytest.MonkeyPatch.context() as patched:
        directory = tmp_path_factory.mktemp("labs")
        patched.setenv(DIRECTORY_VARIABLE, str(directory))
        topology = Topology(f"d{os.getpid()}", size=2, containers=1)
        with open_lab(topology) as lab:
            lab.build()
            lab.start_all()
            socket = socket_path(lab.record, lab.agents[0])
            yield lambda command, **arguments: request(socket, command, **arguments)


@pytest.mark.parametrize("command", ["status", "plan"])
def test_the_fields_of_an_answer_are_all_documented(ask, command):
    assert set(ask(command)) == documented(f"`{command}`")


def test_the_fields_of_diff_and_explain_are_all_documented(ask):
    explained = ask("explain", address="9.0.2.1")

    assert set(ask("diff")) == documented("`diff`")
    assert set(explained) == documented("`explain`")
    steps = {field for step in explained["steps"] for field in step}
    assert steps == {*re.findall(r"`(\w+)`", _second_table("`explain`"))} & steps
    assert len(explained["steps"]) >= 6


def _second_table(heading: str) -> str:
    return section(heading).partition("Each of")[2]


def test_the_fields_of_a_member_are_all_documented(ask):
    members = ask("members")["members"]

    assert len(members) == 2
    assert {field for member in members for field in member} == documented("`members`")


def test_the_fields_that_every_row_has_are_documented(ask):
    rows = ask("routes")["rows"]

    assert set.intersection(*map(set, rows)) == {"kind", *documented("`routes`")}
    assert {row["kind"] for row in rows} <= set(
        re.findall(r"`(\w+)`", section("`routes`"))
    )


def test_the_inner_fields_of_status_are_named_on_the_page(ask):
    status = ask("status")
    named = set(re.findall(r"`(\w+)`", section("`status`")))

    for inner in (
        status["node"],
        status["members"],
        status["source"],
        status["overlays"][0],
        status["rows"],
        status["kernel"],
        status["kernel"]["last_pass"],
        status["held"],
    ):
        assert set(inner) <= named


def test_every_command_that_the_daemon_knows_is_on_the_page(ask):
    from navstar.errors import ControlError

    with pytest.raises(ControlError) as refusal:
        ask("no such command")

    _, _, known = str(refusal.value).partition("there are ")
    commands = set(re.findall(r"^\| `(\w+)`.* \|", PAGE, re.MULTILINE))
    assert set(known.split(", ")) <= commands
