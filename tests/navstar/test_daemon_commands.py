"""Commands beside a running daemon, and without one: down, diff, explain, doctor."""

import json
import signal
from pathlib import Path

import pytest

from tests.navstar.daemons import (
    start,
    two_agents,
    until,
    writes,
)

pytestmark = pytest.mark.kernel


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


def test_an_agent_that_is_dead_is_forgotten_when_somebody_says_so(pair) -> None:
    first, second = pair
    status = second.ask("status")
    second.end(signal.SIGKILL)
    until(lambda: first.ask("status")["members"]["down"], lambda down: down == 1)
    before = first.rows()

    done = first.navstar("forget", "a2", "--config", str(first.config), "--json")

    answer = {"agent": "a2", "node": status["node"]["id"], "withdrawn": 2}
    assert json.loads(done.stdout) == answer
    until(first.rows, lambda rows: not any("9.0.2.0/24" in row for row in rows))
    # It comes back after all.
    second.start()
    assert until(first.rows, lambda rows: rows == before)


def test_who_hears_nobody_forgets_nobody_unless_forced(tmp_path: Path) -> None:
    with two_agents(tmp_path) as (first, second):
        start(first, second)
        first.end(signal.SIGTERM)
        second.end(signal.SIGTERM)
        first.start()
        until(lambda: first.ask("status"), lambda status: status["lines"] == 4)

        refused = first.navstar("forget", "a2", "--config", str(first.config))
        forced = first.navstar("forget", "a2", "--force", "--config", str(first.config))

    assert refused.returncode == 1
    assert "this agent hears 1 of 2 agents" in refused.stderr
    assert forced.returncode == 0


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        ("a2", "a2 is alive, and would say again what is taken back"),
        ("a1", "a1 is this agent; 'navstar down --leave' is meant"),
        ("a9", "no line of the table is of an agent 'a9'"),
    ],
)
def test_an_agent_that_lives_is_not_forgotten(standing, agent, words) -> None:
    first, _ = standing
    before = first.rows()

    done = first.navstar("forget", agent, "--config", str(first.config))

    assert done.returncode == 1
    assert words in done.stderr
    assert first.rows() == before


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
