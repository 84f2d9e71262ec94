"""Another process that takes our rows for its own garbage, on a real kernel."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.faults.undoing import undoing
from navstar.socket_owner import ENDED, HIDDEN, UNNAMED, port_owner
from tests.navstar.daemons import Daemon, start, two_agents, until

pytestmark = pytest.mark.kernel


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Daemon, Daemon]]:
    with two_agents(tmp_path) as pair:
        start(*pair)
        yield pair


def test_a_manager_that_keeps_undoing_a_row_is_named_and_not_fought(pair) -> None:
    first, _ = pair
    before = first.rows()
    manager = first.start_python(undoing("9.0.2.0/24"))
    try:
        status = until(
            lambda: first.ask("status"),
            lambda s: s["contested"] and s["rows"]["missing"],
        )
        (said,) = status["contested"]
        assert "9.0.2.0/24" in said
        assert f"(pid {manager.pid})" in said
        assert any("keeps undoing" in problem for problem in status["problems"])
        # Meanwhile everything else is repaired as ever.
        first.run("bridge fdb del 70:b3:d5:80:00:02 dev vtep1024 dst 10.78.0.2")
        until(lambda: "dst 10.78.0.2" in first.run("bridge fdb show dev vtep1024"))
        assert first.ask("status")["kernel"]["writes"] < 30
    finally:
        manager.kill()
        manager.wait()
        assert manager.stdout is not None
        manager.stdout.close()

    assert until(first.rows, lambda rows: rows == before)
    lines = [line for line in first.log() if line["event"] == "row contested"]
    assert len(lines) == 1
    assert f"pid {manager.pid}" in lines[0]["what"]


def test_a_netlink_port_is_led_back_to_its_process() -> None:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as ours:
        ours.bind((0, 0))
        port = ours.getsockname()[0]

        assert f"(pid {os.getpid()})" in port_owner(port)

    assert port_owner(port) == ENDED
    assert port_owner(0) == UNNAMED


@pytest.mark.parametrize(
    ("port", "named"),
    [
        (812, "NetworkManager (pid 812, by the number of its port)"),
        # libnl and pyroute2 put the number of the socket into the upper ten bits.
        (3 << 22 | 812, "NetworkManager (pid 812, by the number of its port)"),
        (4_294_963_199, HIDDEN),
        (813, ENDED),
    ],
)
def test_a_process_that_may_not_be_looked_into_is_told_by_its_port(
    tmp_path: Path, port: int, named: str
) -> None:
    process, net = tmp_path / "812", tmp_path / "thread-self/net"
    (process / "fd").mkdir(parents=True)
    (process / "comm").write_text("NetworkManager\n")
    # No link that can be read: so it is without CAP_SYS_PTRACE, as in our unit.
    (process / "fd/7").touch()
    net.mkdir(parents=True)
    rows = [f"0 0 {it} 0 0 0 0 2 0 99" for it in (812, 3 << 22 | 812, 4_294_963_199)]
    (net / "netlink").write_text("\n".join(["sk Eth Pid Groups", *rows]))

    assert port_owner(port, tmp_path) == named
