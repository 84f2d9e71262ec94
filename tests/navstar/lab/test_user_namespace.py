"""An ordinary user's way to a lab, walked by a real one: nobody."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from navstar.lab import agents
from navstar.lab.demolition import strangers
from navstar.lab.record import DIRECTORY_VARIABLE

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(
        Path("/proc/sys/user/max_user_namespaces").read_text().strip() == "0",
        reason="this kernel makes no user namespaces",
    ),
]

_NOBODY = 65534

#: Run as root first: it becomes nobody, in a mount namespace where nobody may read
#: the interpreter, wherever that is: bound to its own path, below open directories.
_BECOME_NOBODY = f"""
import os, sys
from pathlib import Path
from navstar.lab import namespaces as n
n.unshare(n.CLONE_NEWNS)
n.mount("none", Path("/"), "none", n.MS_REC | n.MS_PRIVATE)
base = Path(sys.base_prefix)
opened = os.open(base, os.O_PATH)
top = Path("/", base.parts[1])
if top != Path("/usr"):
    n.mount("tmpfs", top, "tmpfs", 0)
    top.chmod(0o755)
    base.mkdir(parents=True)
    n.mount(f"/proc/self/fd/{{opened}}", base, "none", n.MS_BIND)
os.setgroups([])
os.setgid({_NOBODY})
os.setuid({_NOBODY})
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


@pytest.fixture
def users_directory() -> Iterator[Path]:
    """A directory of nobody's, in a place that nobody can reach."""
    directory = Path(tempfile.mkdtemp(prefix="navstar-lab-"))
    os.chown(directory, _NOBODY, _NOBODY)
    yield directory
    shutil.rmtree(directory)


def _as_nobody(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _BECOME_NOBODY, *arguments],
        env={
            **agents.environment(),
            "HOME": str(directory),
            DIRECTORY_VARIABLE: str(directory / "labs"),
        },
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_user_becomes_root_of_namespaces_where_a_lab_can_be_built(users_directory):
    inside = """
from navstar.lab import privileges
from navstar.lab.demolition import leftovers
from navstar.lab.laboratory import open_lab
from navstar.lab.pinger import reach
from navstar.lab.topology import Topology

assert privileges.missing_capabilities() == []
privileges.check_system()
with open_lab(Topology("u", size=2, containers=2)) as lab:
    lab.build()
    paths = lab.container_paths([lab.agents[0]])
    silent = [each for each in reach(paths, within=5) if each.after is None]
print(len(paths), silent, leftovers(lab.record, ()))
"""
    # Instead of `-m navstar lab ...` it executes the code above.
    outside = f"""
import sys
from navstar.lab import privileges

assert "CAP_NET_ADMIN" in privileges.missing_capabilities()
privileges.navstar_command = lambda *_: [sys.executable, "-c", {inside!r}]
privileges.become_able([])
"""
    before = strangers("u")

    done = _as_nobody(users_directory, "-c", outside)

    assert done.stdout == "4 [] []\n", done.stderr
    assert strangers("u") == before


def test_a_user_runs_the_whole_demo(users_directory):
    done = _as_nobody(
        users_directory,
        *("-m", "navstar", "lab", "run", "--agents=2", "--containers=1", "--json"),
    )

    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    assert [each for each in report["checks"] if not each["ok"]] == []
    assert list(users_directory.iterdir()) == []


def test_a_users_lab_stays_up_between_commands_until_it_is_taken_down(users_directory):
    def lab(*arguments: str) -> subprocess.CompletedProcess[str]:
        return _as_nobody(users_directory, "-m", "navstar", "lab", *arguments)

    up = lab("up", "--agents=2", "--containers=1", "--prefix=u")
    checked = lab("check", "--prefix=u", "--json")
    down = lab("down", "--prefix=u")
    again = lab("down", "--prefix=u")

    assert up.returncode == 0, up.stderr
    assert "nsenter" in up.stdout
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert json.loads(checked.stdout)["ok"] is True
    assert down.returncode == 0, down.stdout + down.stderr
    assert again.returncode == 0
    assert list(users_directory.iterdir()) == []
