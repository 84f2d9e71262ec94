"""The whole path with real daemons and real kernels: two agents on one wire."""

import signal
import socket
from pathlib import Path

import pytest

from tests.navstar.daemons import (
    is_meshed,
    meshed,
    until,
    writes,
)

pytestmark = pytest.mark.kernel

#: What leads from the first agent to the second.
TO_SECOND = {
    "neigh 44.128.0.2 lladdr 70:b3:d5:80:00:02 dev vtep1024 nud permanent",
    "neigh fd01:a::2 lladdr 70:b3:d5:80:00:02 dev vtep1024 nud permanent",
    "fdb 70:b3:d5:80:00:02 dev vtep1024 dst 10.78.0.2 self permanent",
}


def test_two_agents_program_the_way_to_each_other(standing) -> None:
    first, second = standing

    assert first.rows() >= TO_SECOND
    assert any("9.0.2.0/24 via 44.128.0.2" in row for row in first.rows())
    assert any("fd01:b:0:0:1::/80 via fd01:a::1" in row for row in second.rows())
    assert "9.0.2.0/24" in first.run("ip route")
    assert first.ask("plan")["ops"] == []


LISTEN = """
import socket, sys
server = socket.create_server((sys.argv[1], 7777), family=int(sys.argv[2]))
server.settimeout(20)
print("listening", flush=True)
connection, _ = server.accept()
connection.sendall(b"container")
"""
CONNECT = """
import socket, sys
print(socket.create_connection((sys.argv[1], 7777), 10).recv(100).decode())
"""


@pytest.mark.parametrize(
    ("address", "family"),
    [
        ("9.0.2.1", socket.AF_INET),
        ("fd01:b:0:0:2::1", socket.AF_INET6),
    ],
)
def test_an_address_of_the_others_block_is_reached(standing, address, family) -> None:
    first, second = standing
    second.run(f"ip addr add {address} dev lo")
    with second.start_python(LISTEN, address, str(int(family))) as listening:
        said = first.run_python(CONNECT, address)

    assert said.strip() == "container"
    assert listening.returncode == 0


def test_what_somebody_deletes_is_back_and_counted(standing) -> None:
    first, _ = standing
    before = first.rows()
    written = writes(first)

    first.run("ip route del 9.0.2.0/24")
    first.run("bridge fdb del 70:b3:d5:80:00:02 dev vtep1024 dst 10.78.0.2")
    first.run("ip rule del from 9.0.0.0/8")

    until(lambda: writes(first) >= written + 3)
    assert until(first.rows, lambda rows: rows == before)


def test_a_vtep_that_is_deleted_is_built_again_with_all_its_rows(standing) -> None:
    first, _ = standing
    before = first.rows()

    first.run("ip link del vtep1024")

    until(lambda: first.run("ip -br link"), lambda links: "vtep1024" in links)
    assert until(first.rows, lambda rows: rows == before)


def test_killed_and_started_again_it_writes_nothing(pair) -> None:
    first, second = pair
    before = first.rows()

    first.end(signal.SIGKILL)
    assert "9.0.2.0/24" in first.run("ip route")
    first.start()
    status = until(lambda: first.ask("status"), lambda s: is_meshed(s, 1))

    assert status["kernel"]["writes"] == 0
    assert first.rows() == before
    assert writes(second) == second.ask("status")["kernel"]["writes"]
    assert any("9.0.1.0/24" in row for row in second.rows())


def test_stopping_leaves_the_kernel_as_it_is(pair) -> None:
    first, second = pair

    assert first.end() == 0

    assert "vtep1024" in first.run("ip -br link")
    assert "9.0.2.0/24" in first.run("ip route")
    assert not first.socket.exists()
    # Nor does the end of one agent take anything away from another.
    until(lambda: second.ask("status")["members"]["down"], bool)
    assert any("9.0.1.0/24" in row for row in second.rows())


def test_a_former_life_without_its_data_directory_is_taken_over(pair) -> None:
    first, second = pair
    first.end(signal.SIGKILL)
    (first.directory / "data1").rename(first.directory / "lost")

    first.start()
    meshed(first, second)

    until(lambda: second.ask("status")["lines"], lambda count: count == 4)
    until(lambda: second.ask("status")["conflicts"], lambda found: not found)
    assert first.ask("status")["rows"]["agents"] == 1


def test_the_daemon_is_small(standing) -> None:
    first, _ = standing
    assert first.process is not None

    status = Path(f"/proc/{first.process.pid}/status").read_text()

    resident = int(status.partition("VmRSS:")[2].split()[0])
    assert resident < 80 * 1024


HOSTILE = """
import trio
from lashup import NodeConfig, map_field, open_node

KEY = ("navstar", "overlay", "9.0.0.0/8")
VALUE = {"mac": "ff:ff:ff:ff:ff:ff", "ip": "10.78.0.1", "subnet": "0.0.0.0/0"}

async def main():
    config = NodeConfig(
        name="a1", bind=("10.78.0.1", 7947), seeds=[("10.78.0.2", 7947)],
        cluster="navstar", keys=[bytes.fromhex("5a" * 32)],
    )
    with trio.fail_after(20):
        async with open_node(config) as node:
            await node.kv.wait_synchronised()
            field = map_field("44.128.0.9/20").register(node.id.hex())
            await node.kv.update(KEY, field.assign(VALUE))
            await node.kv.update(("navstar", "overlay", "no network"), field.assign(3))
            await node.leave()

trio.run(main)
"""


def test_a_hostile_line_is_skipped_and_shown_and_harms_nobody(pair) -> None:
    first, second = pair
    first.end()

    # Somebody who has the key, at the first agent's address.
    first.run_python(HOSTILE)

    found = until(lambda: second.ask("status")["skipped"], lambda s: len(s) == 2)
    assert "0.0.0.0/0 is outside the overlay" in found[0]
    assert "no network" in found[1]
    assert second.ask("status")["rows"]["agents"] == 1
    assert second.ask("plan")["ops"] == []


def test_an_agent_address_that_is_not_there_is_a_fault_and_comes_back(pair) -> None:
    first, _ = pair
    before = first.rows()
    first.config.write_text(
        first.config.read_text() + '\n[overlay]\nagent_ip = "10.78.0.99"\n'
    )
    first.end()
    first.start()

    status = until(lambda: first.ask("status"), lambda s: s["kernel"]["last_pass"])
    assert (
        "10.78.0.99 is not an address of this host"
        in (status["kernel"]["last_pass"]["fault"])
    )
    assert "vtep1024" in first.run("ip -br link")
    first.run("ip addr add 10.78.0.99/24 dev under")

    until(lambda: first.ask("status"), lambda s: is_meshed(s, 1))
    assert len(first.rows()) == len(before)


def test_garbage_at_the_socket_leaves_the_daemon_alone(standing) -> None:
    first, _ = standing

    for garbage in (b"\xff" * 100_000, b'{"command": "plan"', b"\n" * 1000):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(first.socket))
            try:
                client.sendall(garbage)
            except (BrokenPipeError, ConnectionResetError):
                continue

    assert first.ask("status")["state"] == "reconciling"
