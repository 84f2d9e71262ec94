"""The whole path with real daemons and real kernels: two agents on one wire."""

import json
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.navstar.daemons import (
    ALLOCATION,
    Daemon,
    is_meshed,
    meshed,
    start,
    two_agents,
    until,
)

pytestmark = pytest.mark.kernel

#: What leads from the first agent to the second.
TO_SECOND = {
    "neigh 44.128.0.2 lladdr 70:b3:d5:80:00:02 dev vtep1024 nud permanent",
    "neigh fd01:a::2 lladdr 70:b3:d5:80:00:02 dev vtep1024 nud permanent",
    "fdb 70:b3:d5:80:00:02 dev vtep1024 dst 10.78.0.2 self permanent",
}


@pytest.fixture
def agents(tmp_path: Path) -> Iterator[tuple[Daemon, Daemon]]:
    with two_agents(tmp_path) as pair:
        yield pair


@pytest.fixture
def pair(agents: tuple[Daemon, Daemon]) -> tuple[Daemon, Daemon]:
    """Both agents, running and at rest; for tests that end one of them."""
    start(*agents)
    return agents


@pytest.fixture(scope="module")
def _standing(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Daemon, Daemon]]:
    with two_agents(tmp_path_factory.mktemp("standing")) as pair:
        start(*pair)
        yield pair


@pytest.fixture
def standing(_standing: tuple[Daemon, Daemon]) -> tuple[Daemon, Daemon]:
    """Two agents for tests that leave them as they found them, at rest again."""
    for daemon in _standing:
        daemon.write()
    meshed(*_standing)
    return _standing


def writes(daemon: Daemon) -> int:
    count: int = daemon.ask("status")["kernel"]["writes"]
    return count


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


def test_another_block_is_another_route_everywhere(standing) -> None:
    first, second = standing

    first.allocate(ALLOCATION.format(number=1, block=7))

    until(second.rows, lambda rows: any("9.0.7.0/24" in row for row in rows))
    until(second.rows, lambda rows: not any("9.0.1.0/24" in row for row in rows))
    assert second.ask("status")["lines"] == 4


def test_a_broken_edit_keeps_what_was_there_and_is_reported(standing) -> None:
    first, second = standing
    before = first.rows(), second.rows()

    first.allocate(ALLOCATION.format(number=1, block=1).replace("9.0.1.0", "8.0.1.0"))

    fault = until(lambda: first.ask("status")["source"]["fault"])
    assert "overlay[0].block: 8.0.1.0/24 is outside" in fault
    assert (first.rows(), second.rows()) == before


SECOND_OVERLAY = """
[[overlay]]
name = "more"
subnet = "10.9.0.0/16"
block = "10.9.1.0/24"

[overlay.vtep]
name = "vtep1025"
vni = 1025
mac = "70:b3:d5:80:01:01"
address = "44.129.0.1/20"
"""


def test_an_overlay_that_is_gone_takes_its_rows_along(standing) -> None:
    first, second = standing
    before = first.rows()
    one = ALLOCATION.format(number=1, block=1)
    first.allocate(one + SECOND_OVERLAY)
    until(lambda: second.ask("status")["lines"], lambda lines: lines == 5)
    until(lambda: "vtep1025" in first.run("ip -br link"))

    first.allocate(one)

    until(first.rows, lambda rows: rows == before)
    until(lambda: second.ask("status")["lines"], lambda lines: lines == 4)
    assert "vtep1025" not in first.run("ip -br link")


def test_an_emptied_file_takes_nothing_away_and_is_reported(standing) -> None:
    first, second = standing
    written = writes(first), writes(second)

    first.allocate("overlay = []")

    fault = until(lambda: first.ask("status")["source"]["fault"])
    assert "navstar down --leave" in fault
    first.write()
    until(lambda: not first.ask("status")["source"]["fault"])
    assert (writes(first), writes(second)) == written


@pytest.mark.parametrize("text", [None, "[[overlay", "overlay = []"])
def test_started_with_a_file_that_says_nothing_it_changes_nothing(pair, text) -> None:
    first, second = pair
    before, written = first.kernel(), writes(second)
    first.end()
    if text is None:
        (first.directory / "allocation1.toml").unlink()
    else:
        first.allocate(text)

    first.start()
    status = until(
        lambda: first.ask("status"),
        lambda s: s["kv_synchronised"] and s["source"]["fault"],
    )

    assert (status["state"], status["kernel"]["writes"]) == ("waiting", 0)
    assert first.kernel() == before
    # What it had said stands: with the file back there is nothing to be done.
    first.write()
    status = until(lambda: first.ask("status"), lambda s: is_meshed(s, 1))
    assert status["kernel"]["writes"] == 0
    assert writes(second) == written
    assert second.ask("status")["lines"] == 4


def test_nothing_is_deleted_before_a_peer_was_heard(agents) -> None:
    first, second = agents
    start(first, second)
    before = first.rows()
    second.end(signal.SIGKILL)
    first.end(signal.SIGKILL)
    # As after the loss of a disk: the table is empty, the kernel is not.
    (first.directory / "data1").rename(first.directory / "lost")

    first.start()
    status = until(
        lambda: first.ask("status"),
        lambda s: s["kernel"]["passes"] and s["held"]["rows"],
    )

    assert "compared" in status["held"]["reason"]
    assert first.rows() == before
    assert first.ask("status")["kernel"]["writes"] == 0


def test_down_takes_ours_and_nothing_else_and_up_brings_it_back(standing) -> None:
    first, _ = standing
    before = first.rows()
    first.run("ip route add 198.51.100.0/24 via 10.78.0.2")
    first.run("ip rule add from 198.51.100.0/24 lookup 42 priority 31000")

    down = first.ask("down")

    assert down == {"removed": len(before), "refused": []}
    assert first.ask("status")["state"] == "down"
    assert "vtep1024" not in first.run("ip -br link")
    assert "198.51.100.0/24" in first.run("ip route")
    assert "198.51.100.0/24" in first.run("ip rule")
    first.ask("up")
    assert until(first.rows, lambda rows: rows == before)


def test_diff_and_explain_show_what_is_wrong_and_who_published_it(standing) -> None:
    first, _ = standing
    way = first.ask("explain", address="9.0.2.77")
    assert way["ok"]
    assert (way["agent"]["name"], way["agent"]["liveness"]) == ("a2", "alive")
    assert [step["step"] for step in way["steps"]][-3:] == [
        *("neighbour", "fdb", "underlay")
    ]
    assert "10.78.0.2 from 10.78.0.1 dev under" in way["steps"][-1]["kernel"]
    assert first.ask("diff")["rows"] == []
    first.ask("down")

    done = first.navstar("diff", "--socket", str(first.socket), "--json")
    shown = first.navstar("explain", "9.0.2.77", "--socket", str(first.socket))

    missing = json.loads(done.stdout)["rows"]
    assert (done.returncode, shown.returncode) == (1, 1)
    assert {one["state"] for one in missing} == {"missing"}
    assert {one["publisher"] for one in missing} == {None, "a2"}
    assert "the kernel has no route for it" in shown.stdout
    first.ask("up")
    until(lambda: first.ask("diff")["rows"], lambda rows: not rows)


def test_explain_refuses_what_is_no_address(standing) -> None:
    first, _ = standing

    done = first.navstar("explain", "nine", "--socket", str(first.socket))

    assert done.returncode == 1
    assert done.stderr == "navstar: 'nine' is not an IP address\n"


def test_the_doctor_knows_what_the_running_daemon_needs(standing) -> None:
    first, _ = standing
    first.run("ip link set under mtu 1400")

    done = first.navstar("doctor", "--config", str(first.config), "--json")

    answer = json.loads(done.stdout)
    assert answer["daemon"]
    assert done.returncode == 1
    assert "forwarding" in {one["check"] for one in answer["findings"]}
    first.run("ip link set under mtu 1500")


def test_down_works_without_a_daemon(pair) -> None:
    first, _ = pair
    count = len(first.rows())
    first.end(signal.SIGKILL)

    done = first.navstar("down", "--config", str(first.config), "--json")

    assert json.loads(done.stdout) == {"removed": count, "refused": []}
    assert "vtep1024" not in first.run("ip -br link")
    assert "lookup 42" not in first.run("ip rule")


def test_down_takes_nothing_away_beneath_a_daemon_that_it_does_not_reach(
    standing,
) -> None:
    first, _ = standing
    assert first.process is not None
    before, written = first.kernel(), writes(first)
    elsewhere = ("--socket", str(first.directory / "none.sock"))

    refused = first.navstar("down", *elsewhere, "--config", str(first.config))

    assert refused.returncode == 1
    assert f"process {first.process.pid}, but nobody answers at" in refused.stderr
    assert "--socket" in refused.stderr
    assert first.kernel() == before
    assert writes(first) == written


def test_who_leaves_for_good_is_gone_everywhere_when_the_command_returns(pair) -> None:
    first, second = pair

    done = first.navstar("down", "--leave", "--config", str(first.config), "--json")

    answer = json.loads(done.stdout)
    assert done.returncode == 0
    assert (answer["withdrawn"], answer["heard"]) == (2, True)
    assert first.process is not None
    assert first.process.wait(10) == 0
    assert second.ask("status")["lines"] == 2
    until(second.rows, lambda rows: not any("9.0.1.0/24" in row for row in rows))
    until(lambda: second.ask("status")["members"]["left"], lambda left: left == 1)


def test_a_second_daemon_is_refused_and_told_why(standing) -> None:
    first, _ = standing
    other = first.directory / "other.toml"
    text = first.config.read_text()
    other.write_text(text.replace("a1.sock", "other.sock").replace(":7947", ":7948"))

    same_socket = first.navstar("run", "--config", str(first.config))
    same_directory = first.navstar("run", "--config", str(other))

    assert (same_socket.returncode, same_directory.returncode) == (1, 1)
    assert f"{first.socket}" in same_socket.stderr
    assert f"{first.directory}/data1" in same_directory.stderr
    assert "Traceback" not in same_socket.stderr + same_directory.stderr


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
