"""The commands: exit codes, messages, and an ordinary user's way to a lab."""

from __future__ import annotations

import errno
import json
import os
import re

import pytest
from typer.testing import CliRunner

from navstar.cli_options import FAILED
from navstar.lab import privileges
from navstar.lab.cli import app
from navstar.lab.errors import MissingSystemPart
from navstar.lab.laboratory import AtEnd, open_lab
from navstar.lab.steps import reachability
from navstar.lab.topology import Topology


def _call(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, result.stdout, result.stderr


def test_ending_a_lab_that_is_not_there_says_so():
    code, output, _ = _call("down", "--prefix", "none")
    as_json = _call("down", "--prefix", "none", "--json")

    assert code == 0
    assert output == "no lab none is up: there is nothing to do\n"
    assert as_json[0] == 0
    assert json.loads(as_json[1]) == {"prefix": "none", "left": [], "ok": True}


def test_checking_a_lab_that_is_not_there_fails_and_says_what_brings_one_up():
    code, _, errors = _call("check", "--prefix", "none")

    assert code == FAILED
    assert errors == (
        "navstar lab: no lab none is up\nbring one up: navstar lab up --prefix none\n"
    )


@pytest.mark.parametrize("command", ["run", "up", "check", "down"])
def test_the_help_of_each_command_teaches_by_an_example(command):
    assert f"Example: navstar lab {command}" in _call(command, "--help")[1]


@pytest.mark.kernel
def test_a_run_with_one_agent_is_refused_because_it_has_no_path_to_show(prefix):
    code, _, errors = _call("run", "--agents", "1", "--prefix", prefix)

    assert code == FAILED
    assert "needs two" in errors


@pytest.mark.kernel
def test_a_check_of_a_lab_without_navstar_fails_line_by_line(prefix, monkeypatch):
    monkeypatch.setattr(reachability, "PATIENCE", 0.2)
    with open_lab(Topology(prefix, size=2, containers=1), AtEnd.KEEP) as lab:
        lab.build()

    code, output, _ = _call("check", "--prefix", prefix, "--json")
    down_code, down, _ = _call("down", "--prefix", prefix, "--json")

    report = json.loads(output)
    assert code == FAILED
    assert report["ok"] is False
    assert report["checks"][0]["figures"]["container_paths"] == 4
    assert down_code == 0
    assert json.loads(down) == {"prefix": prefix, "left": [], "ok": True}


@pytest.mark.kernel
def test_a_lab_in_the_way_is_named_with_the_command_that_removes_it(prefix):
    with open_lab(Topology(prefix, size=2, containers=1)):
        code, _, errors = _call("run", "--agents", "2", "--prefix", prefix)

    assert code == FAILED
    assert f"in use by process {os.getpid()}" in errors
    assert f"navstar lab down --prefix {prefix}" in errors


@pytest.mark.kernel
def test_a_lab_that_another_user_made_is_not_said_to_be_nothing(prefix, monkeypatch):
    with open_lab(Topology(prefix, size=1, containers=1)) as lab:
        lab.build()
        with monkeypatch.context() as as_user:
            as_user.setattr(os, "geteuid", lambda: 65534)
            as_user.delenv("NAVSTAR_LAB_DIRECTORY", raising=False)
            code, output, errors = _call("down", "--prefix", prefix)

    assert code == FAILED
    assert output == ""
    assert f"{prefix}-a1" in errors
    assert f"sudo navstar lab down --prefix {prefix}" in errors


@pytest.mark.kernel
def test_this_host_has_all_that_a_lab_needs():
    privileges.check_system()


@pytest.mark.kernel
@pytest.mark.parametrize("index", range(3))
def test_a_link_kind_that_the_kernel_lacks_is_named_with_its_command(
    index, monkeypatch
):
    kind, module, _ = privileges._LINK_KINDS[index]

    def lacks(kernel):
        kernel.link("add", ifname="try9", kind="no-such-kind")

    monkeypatch.setattr(privileges, "_LINK_KINDS", ((kind, module, lacks),))

    with pytest.raises(MissingSystemPart, match=f"no {kind} device") as caught:
        privileges.check_system()

    assert f"modprobe {module}" in caught.value.way_out


def test_root_without_rights_is_told_what_is_missing(monkeypatch):
    monkeypatch.setattr(privileges, "missing_capabilities", lambda: ["CAP_NET_ADMIN"])
    monkeypatch.setattr(os, "geteuid", lambda: 0)

    with pytest.raises(MissingSystemPart, match="CAP_NET_ADMIN") as caught:
        privileges.become_able(["lab", "run"])

    assert "--privileged" in caught.value.way_out
    assert "sudo" not in caught.value.way_out  # that is what it is already


def test_a_user_without_namespaces_is_told_a_command_that_root_can_execute(monkeypatch):
    def refuse() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(privileges, "missing_capabilities", lambda: ["CAP_NET_ADMIN"])
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(privileges, "_enter_fresh_user_namespace", refuse)

    with pytest.raises(MissingSystemPart, match="CAP_NET_ADMIN") as caught:
        privileges.become_able(["lab", "run", "--agents=5"])

    told = re.search(
        r"sudo (/\S+) lab run --agents=5$", caught.value.way_out, re.MULTILINE
    )
    assert told is not None
    assert os.access(told[1], os.X_OK)
