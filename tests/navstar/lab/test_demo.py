"""`navstar lab` from outside: the real commands, real daemons, the whole demo."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator

import pytest

from navstar.lab import agents
from navstar.lab.demo import CLAIMS
from navstar.lab.demolition import leftovers, strangers
from navstar.lab.laboratory import find_lab
from navstar.lab.record import find_record

pytestmark = pytest.mark.kernel

_PATIENCE = 150


@pytest.fixture
def lab_command(prefix: str) -> Iterator[list[str]]:
    """A `navstar lab` with this test's prefix to add to; nothing is left of it."""
    yield agents.navstar_command("lab")
    subprocess.run(
        agents.navstar_command("lab", "down", "--prefix", prefix),
        env=agents.environment(),
        capture_output=True,
        timeout=_PATIENCE,
    )


def _call(command: list[str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*command, *arguments],
        env=agents.environment(),
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
    )


def test_every_line_of_the_demo_holds(lab_command, prefix):
    done = _call(lab_command, "run", "--agents=3", f"--prefix={prefix}", "--json")

    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    broken = [each for each in report["checks"] if not each["ok"]]
    assert broken == [], done.stderr
    assert report["ok"] is True
    assert [each["name"] for each in report["checks"][:-1]] == [c.name for c in CLAIMS]
    assert done.returncode == 0
    assert strangers(prefix) == []


def test_a_lab_that_is_up_can_be_checked_and_taken_down_by_others(lab_command, prefix):
    up = _call(lab_command, "up", "--agents=2", f"--prefix={prefix}", "--json")
    assert up.returncode == 0, up.stderr
    lab = find_lab(prefix)
    known = list(lab.record.processes.values())

    again = _call(lab_command, "up", "--agents=2", f"--prefix={prefix}")
    checked = _call(lab_command, "check", f"--prefix={prefix}", "--json")
    down = _call(lab_command, "down", f"--prefix={prefix}")

    assert again.returncode == 1
    assert "left up" in again.stderr
    assert checked.returncode == 0, checked.stdout
    assert down.returncode == 0, down.stderr
    assert len(known) == 2
    assert leftovers(lab.record, known) == []


def test_ctrl_c_in_the_middle_of_the_demo_leaves_nothing(lab_command, prefix):
    # A shell that runs the tests in the background switches Ctrl-C off.
    switched_on = (
        "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); "
        "os.execv(sys.executable, sys.argv[1:])"
    )
    command = [*lab_command, "run", "--agents=2", f"--prefix={prefix}"]
    child = subprocess.Popen(
        [lab_command[0], "-c", switched_on, *command],
        env=agents.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stderr is not None
    for line in child.stderr:
        if "is killed" in line:
            break
    record = find_record(prefix)
    known = list(record.processes.values())

    child.send_signal(signal.SIGINT)
    output, errors = child.communicate(timeout=_PATIENCE)

    assert child.returncode == 128 + signal.SIGINT, output + errors
    assert "nothing of the lab is left" in errors
    assert len(known) == 3
    assert leftovers(record, known) == []


def test_a_daemon_that_cannot_start_is_told_with_its_log_and_nothing_is_left(
    lab_command, prefix
):
    code = (
        "import sys\n"
        "from navstar.lab import agents\n"
        "broken = [sys.executable, '-c', 'raise SystemExit(\"broken here\")']\n"
        "agents.navstar_command = lambda *_: broken\n"
        "from navstar.lab.cli import app\n"
        f"app(['run', '--agents=2', '--prefix={prefix}'])"
    )

    done = _call([lab_command[0]], "-c", code)

    assert done.returncode == 1, done.stderr
    assert "navstar of a1 has ended" in done.stderr
    assert "broken here" in done.stderr
    assert strangers(prefix) == []
