"""Another process that takes our rows for its own garbage, on a real kernel."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.faults.undoing import undoing
from navstar.socket_owner import ENDED, UNNAMED, port_owner
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
