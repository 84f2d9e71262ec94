"""The steps of the demo notice when their claim does not hold."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pyroute2 import IPRoute

from navstar.lab import agents, namespaces, processes
from navstar.lab.demo import Claim, _carried_through
from navstar.lab.errors import LabError
from navstar.lab.laboratory import Lab, open_lab
from navstar.lab.report import Check
from navstar.lab.sabotage import delete_row, targets
from navstar.lab.steps import foreign, leaving, reachability, restart
from navstar.lab.steps.stage import Stage
from navstar.lab.topology import UPLINK, Topology

pytestmark = pytest.mark.kernel


@pytest.fixture
def stage(prefix: str) -> Iterator[Stage]:
    """Two agents in step, with foreign rows planted."""
    with open_lab(Topology(prefix, size=2, containers=1)) as lab:
        stage = Stage(lab, lambda _: None)
        lab.build()
        foreign.plant_before_start(stage)
        lab.start_all()
        yield stage


def _delete(lab: Lab, name: str) -> None:
    """Delete the first agent's row of a kind that leads to the second."""
    (target,) = [each for each in targets(lab.agents[1]) if each.name == name]
    delete_row(lab.agents[0].namespace, target, within=0.0)


def test_an_agent_without_its_host_route_is_silent_under_strict_rp_filter(
    stage, monkeypatch
):
    lab = stage.lab
    assert reachability.everyone_reaches_everyone(stage).ok

    processes.kill(lab.record.processes["a1"])
    _delete(lab, "host route v4")
    monkeypatch.setattr(reachability, "PATIENCE", 0.5)
    check = reachability.everyone_reaches_everyone(stage)

    assert not check.ok
    assert check.figures["silent"] == f"c1-1 to a2 at {lab.agents[1].underlay.ip}"


def test_one_row_that_a_restart_puts_back_is_counted_and_heard(stage, monkeypatch):
    def start_after_a_delete(record, agent):
        (route,) = [each for each in targets(stage.first) if each.name == "route v6"]
        delete_row(agent.namespace, route, within=0.0)
        return start(record, agent)

    start = agents.start
    monkeypatch.setattr(agents, "start", start_after_a_delete)
    check = restart.a_navstar_is_killed_and_restarted(stage)

    assert not check.ok
    assert check.figures["kernel_writes"] == 1
    assert check.figures["kernel_events"] == 2, check.figures["events"]
    assert check.figures["kernel_differences"] == 0


def test_a_foreign_route_that_went_is_noticed(stage):
    def drop() -> None:
        with IPRoute() as kernel:
            (device,) = kernel.link_lookup(ifname=UPLINK)
            kernel.route("del", dst="198.51.100.0/24", oif=device, table=42)

    namespaces.inside(stage.second.namespace, drop)
    check = foreign.foreign_rows_are_there(stage)

    assert not check.ok
    assert check.figures["missing"] == 1
    assert "a2: route inet 198.51.100.0/24" in check.said


def test_a_row_of_somebody_else_that_changed_is_not_the_leavers():
    leaver = Topology().agent(4)
    before = {"a1": frozenset({"route x via 44.128.0.4", "route y via 44.128.0.2"})}

    touched = leaving._touched(before, {"a1": frozenset()}, leaver)

    assert touched == ["a1: route y via 44.128.0.2"]


def test_a_step_that_breaks_off_fails_its_claim_and_no_other():
    def breaks(_: Stage) -> Check:
        raise LabError("it broke", "mend it")

    stage = Stage(Lab.__new__(Lab), lambda _: None)
    check = _carried_through(Claim("it works", "always", breaks), stage)

    assert (check.name, check.ok) == ("it works", False)
    assert check.figures["error"] == "it broke\nmend it"
