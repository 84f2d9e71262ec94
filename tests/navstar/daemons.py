"""Real daemons in network namespaces that a test makes, for tests of the whole path.

Two agents on one wire, `10.78.0.1` and `10.78.0.2`, each with its own configuration,
data directory and control socket below the test's directory.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from navstar.control import Reply, request, wait_until_running
from navstar.errors import ControlError

ValueT = TypeVar("ValueT")

#: Seconds. No test waits for it; it bounds one that fails.
PATIENCE = 20.0

_SHOWN = ("-br addr", "rule", "neigh show dev vtep1024", "route show table all")

_numbers = itertools.count()

CONFIG = """
[node]
name = "a{number}"
data_dir = "{directory}/data{number}"

[lashup]
bind = ["10.78.0.{number}:7947"]
seeds = ["10.78.0.1:7947", "10.78.0.2:7947"]
key_files = ["{directory}/key"]

[source]
kind = "file"
path = "{directory}/allocation{number}.toml"
poll_period = 0.05

# Both agents are new, so neither can know a table from before.
[reconcile]
grace = 1.0
audit_period = 2.0
{reconcile}

[control]
socket = "{directory}/a{number}.sock"

[log]
format = "json"
"""

ALLOCATION = """
[[overlay]]
name = "dcos"
subnet = "9.0.0.0/8"
block = "9.0.{block}.0/24"
subnet6 = "fd01:b::/64"
block6 = "fd01:b:0:0:{block}::/80"

[overlay.vtep]
name = "vtep1024"
vni = 1024
mac = "70:b3:d5:80:00:0{number}"
address = "44.128.0.{number}/20"
address6 = "fd01:a::{number}/64"
"""


class Daemon:
    """One agent: its namespace, its files, and its process while it runs."""

    def __init__(self, number: int, namespace: str, directory: Path) -> None:
        self.number = number
        self.namespace = namespace
        self.directory = directory
        self.config = directory / f"a{number}.toml"
        self.socket = directory / f"a{number}.sock"
        self.process: subprocess.Popen[bytes] | None = None

    def write(self, *, block: int | None = None, reconcile: str = "") -> None:
        """Write configuration and allocation."""
        fields = {"number": self.number, "directory": self.directory}
        self.config.write_text(CONFIG.format(**fields, reconcile=reconcile))
        self.allocate(ALLOCATION.format(number=self.number, block=block or self.number))

    def allocate(self, text: str) -> None:
        """Replace the allocation in one step."""
        new = self.directory / f"new{self.number}"
        new.write_text(text)
        new.rename(self.directory / f"allocation{self.number}.toml")

    def start(self) -> None:
        """Start the daemon, and wait for its socket."""
        self.launch()
        wait_until_running(self.socket, timeout=PATIENCE)

    def launch(self) -> None:
        """Start the daemon."""
        with (self.directory / f"log{self.number}").open("ab") as log:
            self.process = subprocess.Popen(
                self._command("run", "--config", str(self.config)),
                stdout=log,
                stderr=log,
            )

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End the process; returns its exit code."""
        assert self.process is not None
        self.process.send_signal(how)
        code = self.process.wait(PATIENCE)
        self.process = None
        return code

    def hang_up(self) -> None:
        """Have the process read its configuration again."""
        assert self.process is not None
        self.process.send_signal(signal.SIGHUP)

    def navstar(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command beside the daemon."""
        return subprocess.run(
            self._command(*arguments),
            capture_output=True,
            text=True,
            timeout=60,
        )

    def ask(self, command: str, **arguments: object) -> Reply:
        """Ask the daemon."""
        return request(self.socket, command, **arguments)

    def run(self, command: str) -> str:
        """Run a command in the namespace; what it prints."""
        done = subprocess.run(
            [*self._inside(), *command.split()], capture_output=True, text=True
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def run_python(self, script: str, *arguments: str) -> str:
        """Run a script in the namespace; what it prints."""
        done = subprocess.run(
            [*self._inside(), sys.executable, "-c", script, *arguments],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start_python(self, script: str, *arguments: str) -> subprocess.Popen[str]:
        """Start a script in the namespace, and wait for its first line."""
        process = subprocess.Popen(
            [*self._inside(), sys.executable, "-c", script, *arguments],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        process.stdout.readline()
        return process

    def rows(self) -> set[str]:
        """The rows of ours that the kernel has, as the daemon sees them."""
        return {
            row["text"]
            for row in self.ask("routes")["rows"]
            if row["state"] != "missing"
        }

    def kernel(self) -> list[str]:
        """What the kernel has, whether the daemon knows of it or not."""
        commands = (
            "ip -br link",
            *(f"ip -{family} {what}" for family in (4, 6) for what in _SHOWN),
            "bridge fdb show dev vtep1024",
        )
        shown = "".join(self.run(command) for command in commands).splitlines()
        # The kernel gives addresses of its own some seconds later than the rest.
        return [line for line in shown if not re.search("fe80|ff00", line)]

    def log(self) -> list[dict[str, Any]]:
        """What the daemon has logged so far."""
        lines = (self.directory / f"log{self.number}").read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def _command(self, *arguments: str) -> list[str]:
        return [*self._inside(), sys.executable, "-m", "navstar", *arguments]

    def _inside(self) -> list[str]:
        return ["ip", "netns", "exec", self.namespace]


@contextmanager
def two_agents(directory: Path) -> Iterator[tuple[Daemon, Daemon]]:
    """Two agents on one wire, with files and not started; all is gone at the end."""
    mark = f"nsd{os.getpid()}-{next(_numbers)}"
    (directory / "key").write_text("5a" * 32)
    daemons = tuple(Daemon(n, f"{mark}-{n}", directory) for n in (1, 2))
    first, second = daemons
    try:
        for daemon in daemons:
            _ip("netns", "add", daemon.namespace)
        _ip(
            *("link", "add", "under", "netns", first.namespace, "type", "veth"),
            *("peer", "name", "under", "netns", second.namespace),
        )
        for daemon in daemons:
            daemon.run("ip link set lo up")
            daemon.run(f"ip addr add 10.78.0.{daemon.number}/24 dev under")
            daemon.run("ip link set under up")
            daemon.write()
        yield first, second
    finally:
        for daemon in daemons:
            if daemon.process is not None:
                daemon.process.kill()
                daemon.process.wait()
            subprocess.run(["ip", "netns", "del", daemon.namespace], check=False)


def until(
    probe: Callable[[], ValueT], is_it: Callable[[ValueT], bool] = bool
) -> ValueT:
    """Ask again and again until the answer is the one wanted; returns it."""
    give_up_at = time.monotonic() + PATIENCE
    while True:
        try:
            value = probe()
        except ControlError as error:
            if time.monotonic() > give_up_at:
                raise AssertionError("the daemon does not answer") from error
        else:
            if is_it(value):
                return value
            assert time.monotonic() < give_up_at, value
        time.sleep(0.02)


def writes(daemon: Daemon) -> int:
    """Kernel writes of a daemon since its start."""
    count: int = daemon.ask("status")["kernel"]["writes"]
    return count


def start(*daemons: Daemon) -> None:
    """Start agents at the same time, and wait until they are at rest."""
    for daemon in daemons:
        daemon.launch()
    for daemon in daemons:
        wait_until_running(daemon.socket, timeout=PATIENCE)
    meshed(*daemons)


def meshed(*daemons: Daemon) -> None:
    """Wait until every agent has all rows of the others, and is at rest."""
    peers = len(daemons) - 1
    for daemon in daemons:
        until(partial(daemon.ask, "status"), partial(is_meshed, peers=peers))


def is_meshed(status: Reply, peers: int) -> bool:
    """Whether an agent has what it should have."""
    rows = status["rows"]
    return bool(
        status["kv_synchronised"]
        and rows["agents"] == peers
        # A peer writes its lines one after the other, and they may come so.
        and rows["desired"] >= sum(_rows_for(one, peers) for one in status["overlays"])
        and rows["desired"] == rows["actual"]
        and not status["refused"]
    )


def _rows_for(overlay: Reply, peers: int) -> int:
    """How many rows an overlay needs at least."""
    has4, has6 = bool(overlay["subnet"]), bool(overlay["subnet6"])
    own = 1 + 2 * (has4 + has6)  # the link; an address and a rule for each family
    # FDB; neighbour and route for each family; for IPv4 the agent's own route too.
    return own + peers * (1 + 3 * has4 + 2 * has6)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
