"""What systemd is told, and what a reload takes over."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from navstar.config import Config, parse_config
from navstar.installation import USUAL_PROGRAM, files, install
from navstar.reload import compare, merged
from navstar.supervision import Supervisor

ROOT = Path(__file__).parents[2]


class Listener:
    """A supervisor's end of the socket."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.settimeout(20)

    def heard(self) -> list[str]:
        return self.socket.recv(4096).decode().split("\n")


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listener]:
    one = Listener(str(tmp_path / "notify"))
    yield one
    one.socket.close()


def supervisor(listener: Listener, **more: str) -> Supervisor:
    address = listener.socket.getsockname()
    return Supervisor.of({"NOTIFY_SOCKET": address, **more}, pid=7)


def test_ready_reload_and_stop_are_told_in_systemds_words(listener) -> None:
    one = supervisor(listener)

    one.ready("agent a1")
    one.reloading()
    one.stopping()

    assert listener.heard() == ["READY=1", "STATUS=agent a1"]
    reloading, moment = listener.heard()
    assert reloading == "RELOADING=1"
    assert moment.partition("=")[2].isdigit()
    assert listener.heard() == ["STOPPING=1"]


def test_a_name_without_a_file_works_as_well() -> None:
    name = f"navstar-test-{os.getpid()}"
    listener = Listener(f"\0{name}")

    Supervisor(f"@{name}").stopping()

    assert listener.heard() == ["STOPPING=1"]
    listener.socket.close()


async def test_the_watchdog_is_fed_twice_as_often_as_it_asks(
    listener, autojump_clock
) -> None:
    one = supervisor(listener, WATCHDOG_USEC="30000000", WATCHDOG_PID="7")
    assert one.watchdog == 30.0

    with trio.move_on_after(50):
        await one.feed_watchdog()

    fed = [listener.heard() for _ in range(4)]
    assert fed == [["WATCHDOG=1"]] * 4


@pytest.mark.parametrize(
    "environment",
    [{}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "5", "WATCHDOG_PID": "8"}],
)
async def test_without_a_watchdog_for_us_none_is_fed(environment) -> None:
    one = Supervisor.of(environment, pid=7)

    assert one.watchdog is None
    await one.feed_watchdog()


def test_nobody_to_tell_is_no_error(tmp_path) -> None:
    Supervisor(None).ready("x")
    Supervisor(str(tmp_path / "nothing")).stopping()


def config(**sections: dict[str, object]) -> Config:
    return parse_config(
        {
            "node": {"name": "a1"},
            "lashup": {"bind": ["127.0.0.1:7947"]},
            "source": {"kind": "file", "path": "allocation.toml"},
        }
        | sections
    )


def test_what_a_running_daemon_cannot_take_over_is_named() -> None:
    old = config()
    new = config(
        node={"name": "a2"},
        reconcile={"audit_period": 3.0},
        overlay={"agent_ip": "10.0.0.7", "table": 43},
        source={"kind": "agent-http"},
    )

    found = compare(old, new)
    after = merged(old, new)

    assert found.taken == ("overlay.agent_ip", "reconcile.audit_period")
    assert found.needs_restart == ("node.name", "source.kind", "overlay.table")
    assert after.reconcile == new.reconcile
    assert after.overlay.agent_ip == new.overlay.agent_ip
    assert (after.node, after.source, after.overlay.table) == (
        *(old.node, old.source),
        42,
    )
    assert compare(old, after).needs_restart == ()


DAEMON = """
[node]
name = "a1"
data_dir = "DIR/data"
[lashup]
bind = ["127.0.0.1:0"]
[source]
kind = "file"
path = "DIR/allocation.toml"
[control]
socket = "DIR/navstar.sock"
[log]
format = "json"
"""


def test_a_daemon_tells_that_it_is_ready_reloads_on_hangup_and_says_what_it_cannot(
    listener, tmp_path
) -> None:
    path = tmp_path / "navstar.toml"
    path.write_text(DAEMON.replace("DIR", str(tmp_path)))
    process = subprocess.Popen(
        [sys.executable, "-m", "navstar", "run", "--config", str(path)],
        env=os.environ | {"NOTIFY_SOCKET": listener.socket.getsockname()},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert listener.heard()[0] == "READY=1"
        text = path.read_text() + "[reconcile]\naudit_period = 3.0\n"
        path.write_text(text.replace('"a1"', '"a2"'))
        process.send_signal(signal.SIGHUP)
        assert [listener.heard()[0] for _ in range(2)] == ["RELOADING=1", "READY=1"]
        path.write_text("[node]\n")
        process.send_signal(signal.SIGHUP)
        assert [listener.heard()[0] for _ in range(2)] == ["RELOADING=1", "READY=1"]
        process.send_signal(signal.SIGTERM)
        assert listener.heard() == ["STOPPING=1"]
        _, log = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()

    assert process.returncode == 0
    assert '"taken": ["reconcile.audit_period"]' in log
    assert '"fields": ["node.name"]' in log
    assert "reload refused" in log


def test_packaging_holds_what_install_writes(tmp_path) -> None:
    packaged = ROOT / "packaging"
    found = {
        f"etc/{path.relative_to(packaged)}": path.read_text()
        for path in packaged.rglob("*")
        if path.is_file() and path.suffix != ".md"
    }

    assert found == files(program=USUAL_PROGRAM)
    done = install(tmp_path, program="/opt/navstar/bin/navstar")
    assert {str(path.relative_to(tmp_path)) for path in done.written} == set(found)
    again = install(tmp_path, program="/opt/navstar/bin/navstar")
    assert (again.written, again.kept) == ((), ())
    unit = (tmp_path / "etc/systemd/system/navstar.service").read_text()
    assert "ExecStart=/opt/navstar/bin/navstar run " in unit
