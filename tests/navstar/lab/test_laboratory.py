"""Labs on the real kernel, without navstar: wires, pings, and no trace at the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from pyroute2 import IPRoute

from navstar.lab import agents, namespaces, processes
from navstar.lab.demolition import leftovers, strangers, take_down
from navstar.lab.errors import NameTaken, NoSuchLab, StaleLab
from navstar.lab.laboratory import AtEnd, open_lab
from navstar.lab.pinger import PingPath, PingStream, reach
from navstar.lab.record import find_record
from navstar.lab.sabotage import delete_link
from navstar.lab.steps import reachability
from navstar.lab.topology import UPLINK, Topology, namespaces_of
from tests.kernel_namespace import ip

pytestmark = pytest.mark.kernel

_PATIENCE = 5.0


def _host_links() -> list[str]:
    with IPRoute() as kernel:
        return sorted(each.get_attr("IFLA_IFNAME") for each in kernel.get_links())


def test_containers_of_an_agent_and_agents_of_the_fabric_reach_each_other(prefix):
    with open_lab(Topology(prefix, size=3, containers=2)) as lab:
        lab.build()
        one, two, _ = lab.agents
        underlay = [
            PingPath("underlay", one.namespace, address)
            for address in (two.underlay.ip, two.underlay6.ip)
        ]

        reached = reach([*lab.container_paths([one]), *underlay], within=_PATIENCE)

    assert len(reached) == 2 * 2 + 2
    assert all(each.after is not None for each in reached)


def test_without_navstar_no_container_reaches_another_agents(prefix, monkeypatch):
    monkeypatch.setattr(reachability, "PATIENCE", 0.2)
    with open_lab(Topology(prefix, size=2, containers=1)) as lab:
        lab.build()

        check = reachability.check_reachability(lab)

    assert not check.ok
    assert check.figures["container_paths_ok"] == 0
    assert check.figures["agents_with_strict_rp_filter"] == 2


@pytest.mark.parametrize(("device", "strict"), [("v1024-64000", 1), ("vtep1024", 0)])
def test_what_is_loose_on_purpose_is_no_fault(prefix, monkeypatch, device, strict):
    monkeypatch.setattr(reachability, "PATIENCE", 0.2)
    with open_lab(Topology(prefix, size=1, containers=1)) as lab:
        lab.build()
        setting = Path("/proc/sys/net/ipv4/conf", device, "rp_filter")
        namespaces.inside(
            lab.agents[0].namespace,
            lambda: [ip(f"link add {device} type bridge"), setting.write_text("2")],
        )

        check = reachability.check_reachability(lab)

    assert check.figures["agents_with_strict_rp_filter"] == strict


def test_agents_forward_and_check_the_reverse_path_strictly(prefix):
    def settings() -> dict[str, str]:
        names = (
            "net/ipv4/ip_forward",
            "net/ipv4/conf/all/rp_filter",
            "net/ipv4/conf/eth0/rp_filter",
            "net/ipv6/conf/all/forwarding",
            "net/ipv6/conf/default/accept_dad",
        )
        return {name: Path("/proc/sys", name).read_text().strip() for name in names}

    with open_lab(Topology(prefix, size=1, containers=1)) as lab:
        lab.build()
        found = namespaces.inside(lab.agents[0].namespace, settings)

    assert list(found.values()) == ["1", "1", "1", "1", "0"]


def test_nothing_is_left_of_a_lab_and_the_host_never_held_a_link_of_it(prefix):
    before = _host_links()
    with open_lab(Topology(prefix, size=2, containers=2)) as lab:
        lab.build()
        during = _host_links()
        there = strangers(prefix)

    assert len(there) == 1 + 2 * (1 + 2)
    assert leftovers(lab.record, ()) == []
    assert before == during == _host_links()


def test_two_labs_stand_side_by_side_and_end_apart(prefix):
    first = Topology(f"{prefix}-a", size=1, containers=2)
    second = Topology(f"{prefix}-b", size=1, containers=2)
    with open_lab(second) as kept:
        kept.build()
        with open_lab(first) as lab:
            lab.build()
        reached = reach(kept.container_paths(), within=_PATIENCE)

    assert all(each.after is not None for each in reached)
    assert leftovers(kept.record, ()) == []


def test_a_failure_half_way_leaves_nothing_and_what_was_in_the_way_untouched(prefix):
    topology = Topology(prefix, size=3, containers=1)
    in_the_way = topology.agent(3).namespace

    def fail_half_way() -> None:
        with open_lab(topology) as lab:
            namespaces.create(in_the_way)
            lab.build()

    with pytest.raises(NameTaken, match=in_the_way):
        fail_half_way()

    assert strangers(prefix) == [in_the_way]
    namespaces.remove(in_the_way)


def test_namespaces_that_no_lab_recorded_are_named_and_left_alone(prefix):
    name = f"{prefix}-a1"
    namespaces.create(name)
    try:
        with pytest.raises(StaleLab, match=name), open_lab(Topology(prefix)):
            pass

        assert strangers(prefix) == [name]
        with pytest.raises(NoSuchLab):
            find_record(prefix)
    finally:
        namespaces.remove(name)


def test_a_kept_lab_is_taken_down_by_whoever_comes_later(prefix):
    with open_lab(Topology(prefix, size=1, containers=1), AtEnd.KEEP) as lab:
        lab.build()
    assert len(strangers(prefix)) == 3

    record, known = take_down(prefix)

    assert leftovers(record, known) == []


def test_taking_down_twice_says_that_there_is_no_lab(prefix):
    with open_lab(Topology(prefix, size=1, containers=1)) as lab:
        lab.build()

    with pytest.raises(NoSuchLab):
        take_down(prefix)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_in_the_middle_leaves_nothing(prefix, number, labs_directory):
    child = _build_and_wait(prefix)

    child.send_signal(number)
    _, errors = child.communicate(timeout=30)

    assert child.returncode == 128 + number, errors
    assert strangers(prefix) == []
    assert not (labs_directory / prefix).exists()


def test_lab_down_ends_what_is_left_of_a_lab_that_was_killed(prefix):
    child = _build_and_wait(prefix)
    child.kill()
    child.communicate(timeout=30)
    assert len(strangers(prefix)) == 5

    record, known = take_down(prefix)

    assert leftovers(record, known) == []


def test_lab_down_asks_the_one_who_works_in_the_lab_to_end(prefix):
    child = _build_and_wait(prefix)

    record, known = take_down(prefix)

    child.communicate(timeout=30)
    assert child.returncode == 128 + signal.SIGTERM
    assert leftovers(record, known) == []


def test_a_stream_of_pings_sees_the_outage_and_its_end(prefix):
    with open_lab(Topology(prefix, size=2, containers=1)) as lab:
        lab.build()
        one, two = lab.agents
        path = PingPath("underlay", one.namespace, two.underlay.ip)
        with PingStream([path]) as stream:
            assert stream.wait_answered(0.0, within=_PATIENCE) is not None
            gone_at = delete_link(two.namespace, UPLINK)
            silent = stream.wait_answered(gone_at, within=0.1)
            (trace,) = stream.stop()

    assert silent is None
    assert trace.lost > 0
    assert trace.longest_outage == float("inf")


def test_a_process_of_an_agent_is_in_its_namespace_and_ends_with_the_lab(prefix):
    with open_lab(Topology(prefix, size=1, containers=1)) as lab:
        lab.build()
        (agent,) = lab.agents
        process = agents.start(lab.record, agent)
        its_namespace = os.stat(f"/proc/{process.pid}/ns/net").st_ino
        named = (namespaces.DIRECTORY / agent.namespace).stat().st_ino

    assert its_namespace == named
    assert not process.is_alive
    assert leftovers(lab.record, [process]) == []


def test_an_agent_that_is_removed_leaves_the_rest_of_the_lab(prefix):
    with open_lab(Topology(prefix, size=2, containers=1)) as lab:
        lab.build()
        gone = lab.agents[1]
        lab.remove(gone)
        there = strangers(prefix)

    assert not set(namespaces_of(gone)) & set(there)
    assert len(there) == 3


def _build_and_wait(prefix: str) -> subprocess.Popen[str]:
    """Another process that works in a lab of two agents until a signal comes."""
    code = f"""
import signal, sys, time
# Whoever runs the tests may have switched one of these off.
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL)
from navstar.lab.interrupts import Interrupted, interruptible
from navstar.lab.laboratory import open_lab
from navstar.lab.topology import Topology

try:
    with interruptible(), open_lab(Topology("{prefix}", size=2, containers=1)) as lab:
        lab.build()
        print("built", flush=True)
        time.sleep(60)
except Interrupted as interrupt:
    sys.exit(128 + interrupt.number)
"""
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        env=agents.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    if child.stdout.readline() != "built\n":
        child.kill()
        pytest.fail(child.communicate()[1])
    assert processes.identify(child.pid) is not None
    return child
