"""Two hosts, and a bridge between them that can be taken away without a word."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count

from benchmarks.node_process import Host

_numbers = count()


class PartedNetwork:
    """Two network namespaces that reach each other by a bridge in a third one.

    Attributes:
        hosts: Both, each with its address.
    """

    def __init__(self, mark: str) -> None:
        self.hosts = tuple(Host(f"{mark}-{n}", f"10.77.0.{n}") for n in (1, 2))
        self._between = f"{mark}-between"

    def build(self) -> None:
        """Make the namespaces and what is in them."""
        for name in (self._between, *(host.namespace for host in self.hosts)):
            _ip("netns", "add", name)
        self._run("ip link add way type bridge forward_delay 0")
        self._run("ip link set way up")
        for number, host in enumerate(self.hosts):
            port = f"port{number}"
            self._run(
                f"ip link add {port} type veth peer name eth0 netns {host.namespace}"
            )
            self._run(f"ip link set {port} up")
            for command in (
                "ip link set lo up",
                f"ip addr add {host.address}/24 dev eth0",
                "ip link set eth0 up",
            ):
                _ip("netns", "exec", host.namespace, *command.split())
        self.mend()

    def cut(self) -> None:
        """From now on nothing arrives, and nobody is told."""
        self._run("ip link set port1 nomaster")

    def mend(self) -> None:
        """The bridge is whole again."""
        for number in range(len(self.hosts)):
            self._run(f"ip link set port{number} master way")

    def remove(self) -> None:
        """Take all of it away, whatever there is."""
        for name in (*(host.namespace for host in self.hosts), self._between):
            _called("netns", "del", name)

    def _run(self, command: str) -> None:
        _ip("netns", "exec", self._between, *command.split())


@contextmanager
def parted_network() -> Iterator[PartedNetwork]:
    """Two hosts that reach each other; all is gone at the end. Needs root."""
    network = PartedNetwork(f"bench{os.getpid()}-{next(_numbers)}")
    with ExitStack() as stack:
        stack.callback(network.remove)
        network.build()
        yield network


def _ip(*words: str) -> None:
    done = _called(*words)
    if done.returncode:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr.strip()}")


def _called(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  # our own words
        ["ip", *words],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
