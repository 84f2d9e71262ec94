"""A stranger has the numbers or the name that a VTEP is to get: so it goes on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Interface, IPv6Address

import pytest

from navstar.diff import Delete, Put
from navstar.overlay_backend import Kernel, LinkInTheWay
from navstar.stand_in import stand_ins
from navstar.tables import Addr, Link, Row, link_of, second_name
from simulations.kernel import FakeKernel
from tests.kernel_namespace import ip
from tests.navstar.changing_numbers import (
    AFTER,
    BEFORE,
    FORMER,
    OTHER_VNI,
    OTHERS,
    Agent,
    kernel_with,
    on,
    real,
)
from tests.navstar.example_rows import GROUND, LINK, VTEP, path_to

#: A stranger's device, where the link of each change should be.
STRANGERS = {
    change: f"stranger type vxlan id {link.vni} dstport {link.port} local {link.local}"
    if (link.vni, link.port) != (LINK.vni, LINK.port)
    else f"{link.name} type veth peer name v1"
    for change, link in OTHERS.items()
}


def barred(change: str) -> Agent:
    """An agent in whose way a stranger is."""
    agent = Agent()
    agent.in_the_way = (LinkInTheWay(OTHERS[change].name, "taken", by="stranger"),)
    return agent


@pytest.mark.parametrize("change", AFTER)
def test_nothing_is_done_while_a_stranger_has_the_place(change: str) -> None:
    kernel = kernel_with(BEFORE)

    look = barred(change).look(AFTER[change], kernel)

    assert look.ops == ()


@pytest.mark.parametrize("change", AFTER)
def test_the_change_is_done_when_the_stranger_is_gone(change: str) -> None:
    kernel, agent = kernel_with(BEFORE), barred(change)
    agent.follow(AFTER[change], kernel)
    agent.in_the_way = ()

    agent.follow(AFTER[change], kernel)

    assert AFTER[change] <= kernel.dump()


@pytest.mark.parametrize("change", AFTER)
def test_agents_come_and_go_meanwhile(change: str) -> None:
    kernel = kernel_with(BEFORE)
    before = GROUND | path_to(3) | path_to(4)
    after = on(before, OTHERS[change], sent=(1024, 64000))

    barred(change).follow(after, kernel)

    assert kernel.dump() == before


@pytest.mark.parametrize("change", ["vni", "port"])
def test_agents_that_have_the_new_numbers_already_are_led_to_with_these(
    change: str,
) -> None:
    link = OTHERS[change]
    settled = on(BEFORE, link, sent=(link.vni, link.port))
    kernel = kernel_with(BEFORE)

    barred(change).follow(settled, kernel)

    assert kernel.dump() == on(BEFORE, LINK, sent=(link.vni, link.port))


def test_deleted_rows_are_put_back_meanwhile() -> None:
    kernel = kernel_with(row for row in BEFORE if isinstance(row, Link))

    barred("vni").follow(AFTER["vni"], kernel)

    assert kernel.dump() == BEFORE


def test_addresses_that_are_to_be_others_stay_meanwhile() -> None:
    kernel, after = kernel_with(BEFORE), Addr(VTEP, IPv4Interface("44.128.0.9/20"))
    before = Addr(VTEP, IPv4Interface("44.128.0.1/20"))

    barred("vni").follow(AFTER["vni"] - {before} | {after}, kernel)

    assert kernel.dump() == BEFORE | {after}


def test_a_mac_that_is_told_of_at_once_is_set_at_once() -> None:
    """No number is another, so the line that has the MAC waits for nothing."""
    kernel, fresh = kernel_with(BEFORE), replace(OTHERS["name"], mac="70:b3:d5:0:0:f")
    after = on(BEFORE, fresh, sent=(1024, 64000))

    barred("name").follow(after, kernel)

    assert replace(LINK, mac=fresh.mac) in kernel.dump()


def test_what_an_interrupted_change_has_renamed_stands_in_as_it_is_called() -> None:
    kernel = kernel_with(BEFORE)
    first, *_ = Agent().look(AFTER["vni"], kernel).ops
    kernel.apply([first])

    barred("vni").follow(AFTER["vni"], kernel)

    assert not [row for row in kernel.dump() if link_of(row) == VTEP]
    assert on(BEFORE, replace(LINK, name=FORMER, loose=True), sent=(1024, 64000)) <= (
        kernel.dump()
    )


def test_the_operator_is_told_what_goes_on_until_then() -> None:
    (way,) = barred("vni").look(AFTER["vni"], kernel_with(BEFORE)).in_the_way

    assert (
        way.problem == f"taken; {VTEP} goes on with VNI 1024 and port 64000 until then"
    )


def test_where_nothing_is_that_could_stand_in_other_rows_go_on() -> None:
    kernel = FakeKernel()

    barred("vni").follow(AFTER["vni"], kernel)

    assert kernel.dump() == {row for row in AFTER["vni"] if link_of(row) is None}


def candidates() -> Iterator[tuple[str, Link, bool]]:
    yield "its name", replace(LINK, mac="70:b3:d5:0:0:f"), True
    yield "its MAC", replace(LINK, name="vtk9"), True
    yield "its numbers", replace(OTHER_VNI, name="vtk9", mac="70:b3:d5:0:0:f"), True
    yield "nothing of it", replace(LINK, name="vtk9", mac="70:b3:d5:0:0:f"), False


@pytest.mark.parametrize(
    ("link", "is_one"), [pytest.param(*rest, id=name) for name, *rest in candidates()]
)
def test_what_stands_in_has_been_that_link(link: Link, is_one: bool) -> None:
    found = stand_ins({VTEP}, wanted={VTEP: OTHER_VNI}, there=[link])

    assert found == ({VTEP: link} if is_one else {})


def test_a_link_whose_name_or_numbers_another_is_to_have_does_not_stand_in() -> None:
    other = replace(LINK, name="vtk2", vni=7)
    wanted = {VTEP: OTHER_VNI, "vtk2": other}

    for link in (replace(LINK, name="vtk2"), replace(LINK, vni=7)):
        assert stand_ins({VTEP}, wanted=wanted, there=[link]) == {}


def test_the_link_in_use_stands_in_and_not_one_that_only_receives() -> None:
    former = replace(LINK, name="v7-64000", vni=7)

    found = stand_ins({"vtk9"}, wanted={"vtk9": OTHER_VNI}, there=[former, LINK])

    assert found == {"vtk9": LINK}


def test_one_link_does_not_stand_in_for_two() -> None:
    wanted = {"a": replace(OTHER_VNI, name="a"), "b": replace(LINK, name="b", vni=7)}

    assert stand_ins({"a", "b"}, wanted=wanted, there=[LINK]) == {"a": LINK}


def test_a_link_with_the_name_of_another_barred_one_stands_in_for_that_one() -> None:
    wanted = {"a": replace(OTHER_VNI, name="a"), VTEP: replace(LINK, vni=7)}

    assert stand_ins({"a", VTEP}, wanted=wanted, there=[LINK]) == {VTEP: LINK}


def test_a_second_link_goes_on_while_the_first_has_its_successor() -> None:
    """Each link of a VTEP is for itself."""
    second = replace(LINK, name=second_name(1024, 64000), loose=True)
    first = replace(LINK, local=IPv6Address("fd00::1"))
    wanted_first = replace(first, vni=1030)
    wanted_second = replace(second, name=second_name(1030, 64000), vni=1030)
    kernel, agent = kernel_with({first, second}), Agent()
    way = LinkInTheWay(wanted_second.name, "taken", by="stranger")
    agent.in_the_way = (way,)

    agent.follow(frozenset({wanted_first, wanted_second}), kernel)

    links = {row for row in kernel.dump() if isinstance(row, Link)}
    assert {wanted_first, second} <= links
    assert "u1024-64000" in {link.name for link in links}


@pytest.mark.kernel
@pytest.mark.parametrize("change", STRANGERS)
def test_the_kernel_keeps_all_until_the_stranger_is_gone(change: str) -> None:
    @real
    def scenario(kernel: Kernel) -> None:
        ip(f"link add {STRANGERS[change]}")
        agent = Agent()

        first = agent.follow(AFTER[change], kernel)
        meanwhile = kernel.dump()
        ip(f"link del {STRANGERS[change].split()[0]}")
        then = agent.follow(AFTER[change], kernel)

        assert first.ops == ()
        assert meanwhile == BEFORE
        assert AFTER[change] <= kernel.dump()
        assert any(isinstance(op, Put) for op in then.ops) or change == "name"
        assert not deleted_links(then.ops)

    scenario()


def deleted_links(ops: tuple[object, ...]) -> list[Row]:
    return [op.row for op in ops if isinstance(op, Delete) and isinstance(op.row, Link)]
