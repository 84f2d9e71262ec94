"""VNI, port or name of a VTEP change: the new device stands before the old one goes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from navstar.diff import Delete, Op, Put, Rename
from navstar.overlay_backend import Kernel
from navstar.succession import DUMMY, GRACE, other_vxlans
from navstar.tables import Addr, Link, Route, kernel_key, link_of
from tests.kernel_namespace import ip
from tests.navstar.changing_numbers import (
    AFTER,
    BEFORE,
    FORMER,
    IGNORANT,
    OTHER_VNI,
    OTHERS,
    Agent,
    kernel_with,
    on,
    real,
)
from tests.navstar.example_rows import GROUND, LINK, VTEP


@pytest.mark.parametrize("change", AFTER)
def test_no_route_is_missing_at_any_moment(change: str) -> None:
    kernel = kernel_with(BEFORE)
    routes = {kernel_key(row) for row in BEFORE if isinstance(row, Route)}

    for op in Agent().look(AFTER[change], kernel).ops:
        kernel.apply([op])

        assert routes <= {kernel_key(row) for row in kernel.dump()}


@pytest.mark.parametrize("change", AFTER)
def test_no_link_goes_and_one_that_is_there_is_renamed(change: str) -> None:
    kernel = kernel_with(BEFORE)

    ops = Agent().follow(AFTER[change], kernel).ops

    assert isinstance(ops[0], Rename)
    assert not [op for op in ops if isinstance(op, Delete) and type(op.row) is Link]


def test_a_former_link_only_receives() -> None:
    kernel = kernel_with(BEFORE)

    Agent().follow(AFTER["vni"], kernel)

    left = {row for row in kernel.dump() if link_of(row) == FORMER}
    link = replace(LINK, name=FORMER, loose=True)
    assert left == {link, Addr(FORMER, DUMMY)}


def test_a_former_link_stays_as_long_as_an_agent_takes_in_no_other_numbers() -> None:
    kernel, agent = kernel_with(BEFORE), Agent()
    agent.follow(AFTER["vni"], kernel)

    agent.follow(AFTER["vni"], kernel, now=1e6)

    assert FORMER in {link_of(row) for row in kernel.dump()}


def test_a_former_link_goes_when_a_grace_has_passed_since_nobody_needs_it() -> None:
    kernel, agent = kernel_with(BEFORE), Agent()
    settled = on(BEFORE, OTHER_VNI, sent=(1030, 64000))
    agent.follow(AFTER["vni"], kernel, now=0.0)

    first = agent.follow(settled, kernel, now=100.0)
    agent.follow(settled, kernel, now=99.0 + GRACE)
    then = kernel.dump()
    agent.follow(settled, kernel, now=100.0 + GRACE)

    assert first.verdict.look_again_at == 100.0 + GRACE
    assert FORMER in {link_of(row) for row in then}
    assert kernel.dump() == settled


def test_a_need_that_comes_back_makes_the_grace_begin_anew() -> None:
    kernel, agent = kernel_with(BEFORE), Agent()
    settled = on(BEFORE, OTHER_VNI, sent=(1030, 64000))
    agent.follow(settled, kernel, now=0.0)
    agent.follow(AFTER["vni"], kernel, now=GRACE - 1)

    look = agent.follow(settled, kernel, now=GRACE + 1)

    assert look.verdict.look_again_at == 2 * GRACE + 1


def test_a_plan_does_not_begin_a_grace() -> None:
    kernel, agent = kernel_with(BEFORE), Agent()
    settled = on(BEFORE, OTHER_VNI, sent=(1030, 64000))
    agent.follow(AFTER["vni"], kernel, now=0.0)

    Agent().look(settled, kernel, now=1.0)

    assert agent.look(settled, kernel, now=5.0).verdict.look_again_at == 5.0 + GRACE


def test_the_way_back_is_two_renames() -> None:
    kernel, agent = kernel_with(BEFORE), Agent()
    agent.follow(AFTER["vni"], kernel, now=0.0)

    ops = agent.follow(BEFORE, kernel, now=1.0).ops

    assert [op.name for op in ops if isinstance(op, Rename)] == ["v1030-64000", VTEP]
    assert not [op for op in ops if isinstance(op, Put) and isinstance(op.row, Link)]


def test_a_link_of_an_overlay_that_is_gone_is_no_former_one() -> None:
    other = replace(LINK, name="vtk2", vni=7, mac="70:b3:d5:80:00:f2")
    kernel = kernel_with(BEFORE | {other})

    Agent().follow(BEFORE, kernel)

    assert kernel.dump() == BEFORE


@pytest.mark.parametrize("change", AFTER)
def test_agents_nobody_told_of_yet_are_led_to_by_the_new_link(change: str) -> None:
    """The allocation has changed while navstar was down, and the table is empty."""
    kernel = kernel_with(BEFORE)
    ground = on(GROUND, OTHERS[change], sent=(1024, 64000))

    Agent(IGNORANT).follow(ground, kernel)

    assert AFTER[change] <= kernel.dump()


def test_what_lets_a_former_link_receive_moves_to_no_other() -> None:
    kernel = kernel_with(BEFORE)
    settled = on(BEFORE, OTHER_VNI, sent=(1030, 64000))
    Agent().follow(settled, kernel, now=0.0)

    ignorant = Agent(IGNORANT)
    ignorant.follow(settled, kernel, now=0.0)
    ignorant.follow(settled, kernel, now=GRACE + 1)

    assert Addr(VTEP, DUMMY) not in kernel.dump()
    assert Addr(FORMER, DUMMY) in kernel.dump()


def test_two_links_that_swap_names_are_made_anew() -> None:
    other = replace(LINK, name="vtk2", vni=7, mac="70:b3:d5:80:00:f2")
    kernel = kernel_with(BEFORE | {other})
    swapped = on(BEFORE, replace(LINK, name="vtk2"), sent=(1024, 64000))

    Agent().follow(swapped | {replace(other, name=VTEP)}, kernel)

    assert kernel.dump() == swapped | {replace(other, name=VTEP)}


@given(st.lists(st.sampled_from(sorted(OTHERS)), min_size=1, max_size=6), st.data())
def test_however_often_it_changes_and_is_cut_off_the_end_is_the_same(
    changes: list[str], data: st.DataObject
) -> None:
    kernel = kernel_with(BEFORE)
    for change in changes:
        ops = Agent().look(AFTER[change], kernel).ops
        kernel.apply(ops[: data.draw(st.integers(0, len(ops)))])

    agent, settled = Agent(), on(BEFORE, OTHER_VNI, sent=(1030, 64000))
    agent.follow(settled, kernel, now=0.0)
    agent.follow(settled, kernel, now=GRACE)

    assert kernel.dump() == settled


def test_the_operator_is_told_which_numbers_are_not_the_allocations() -> None:
    kernel = kernel_with(BEFORE)

    rows = Agent().follow(AFTER["vni, port, MAC"], kernel).verdict.aim

    assert other_vxlans(BEFORE) == ()
    assert other_vxlans(rows) == (
        f"{FORMER} still receives VNI 1024, port 64000",
        "some agents take in VNI 1024, port 64000, and nothing that this one does",
    )


# On the real kernel.


def index_of(name: str) -> str:
    return ip(f"-o link show {name}").split(":")[0]


@real
def test_the_kernel_keeps_the_former_link_and_all_that_is_on_it(kernel: Kernel) -> None:
    before = index_of(VTEP)

    Agent().follow(AFTER["vni"], kernel)

    shown = ip(f"-details link show {FORMER}")
    assert index_of(FORMER) == before
    assert "vxlan id 1024 " in shown
    assert "alias navstar" in shown
    assert ",UP," in shown
    assert "vxlan id 1030 " in ip(f"-details link show {VTEP}")


@real
def test_the_kernel_can_be_left_at_any_point(kernel: Kernel) -> None:
    """Each time killed one operation later; what is started anew ends the same."""
    routes = {kernel_key(row) for row in BEFORE if isinstance(row, Route)}
    settled = on(BEFORE, OTHER_VNI, sent=(1030, 64000))
    ops: tuple[Op, ...] = ()
    cut_at = 0
    while cut_at <= len(ops):
        ops = Agent().look(AFTER["vni"], kernel).ops
        assert len(ops) < 100
        assert kernel.apply(ops[:cut_at]).refused == ()
        assert routes <= {kernel_key(row) for row in kernel.dump()}

        agent = Agent()
        agent.follow(AFTER["vni"], kernel, now=0.0)
        agent.follow(settled, kernel, now=0.0)
        agent.follow(settled, kernel, now=GRACE)

        assert kernel.dump() == settled
        Agent().follow(BEFORE, kernel)
        late = Agent()
        late.follow(BEFORE, kernel, now=0.0)
        late.follow(BEFORE, kernel, now=GRACE)
        assert kernel.dump() == BEFORE
        cut_at += 1


@real
def test_a_strict_rp_filter_of_the_host_is_loose_on_a_former_link(
    kernel: Kernel,
) -> None:
    ip("netconf show dev lo")
    Agent().follow(AFTER["vni"], kernel)
    assert "rp_filter loose" in ip(f"-4 netconf show dev {FORMER}")
    assert "rp_filter loose" not in ip(f"-4 netconf show dev {VTEP}")
    Agent().follow(BEFORE, kernel)

    assert "rp_filter loose" not in ip(f"-4 netconf show dev {VTEP}")


@real
def test_a_strangers_link_with_the_name_of_a_former_one_is_left_alone(
    kernel: Kernel,
) -> None:
    ip(f"link add {FORMER} type veth peer name v1")

    look = Agent().look(AFTER["vni"], kernel)
    kernel.apply(look.ops)

    assert [one.name for one in look.in_the_way] == [FORMER]
    assert "veth" in ip(f"-details link show {FORMER}")
    assert AFTER["vni"] == kernel.dump()


@real
def test_a_link_that_somebody_renames_gets_its_name_back(kernel: Kernel) -> None:
    before = index_of(VTEP)
    ip(f"link set {VTEP} name other")

    ops = Agent().follow(BEFORE, kernel).ops

    assert len(ops) == 1
    assert index_of(VTEP) == before
