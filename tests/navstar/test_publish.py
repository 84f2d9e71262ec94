from dataclasses import replace
from ipaddress import ip_address, ip_interface

from hypothesis import given
from hypothesis import strategies as st

from navstar.allocation import Allocation
from navstar.line import Line
from navstar.publish import (
    Speaker,
    Withdraw,
    Write,
    changes,
    lines_for,
    takes_in_another,
    withdrawal_of_all,
)
from tests.navstar.allocations import ALLOCATION, DCOS, lines, with_vtep

ME = Speaker(node="aa" * 16, name="a1", agent_ip=ip_address("10.0.0.1"))
OLD = "bb" * 16
OTHER = "cc" * 16
V4, V6 = lines_for(ALLOCATION, ME)


def change(
    present: list[Line], alive: set[str] | None = None, allocation=ALLOCATION
) -> tuple[Write | Withdraw, ...]:
    wanted = lines_for(allocation, ME)
    return changes(wanted, present, speaker=ME, alive=alive or {ME.node})


def test_each_family_in_use_has_a_line() -> None:
    assert [str(line.overlay) for line in (V4, V6)] == ["9.0.0.0/8", "fd01:b::/64"]
    assert [str(line.vtep) for line in (V4, V6)] == ["44.128.0.1/20", "fd01:a::1/64"]
    assert [str(line.subnet) for line in (V4, V6)] == [
        "9.0.1.0/24",
        "fd01:b:0:0:1::/80",
    ]


def test_only_what_it_had_said_can_become_another() -> None:
    wanted = lines_for(ALLOCATION, ME)
    theirs = replace(V4, node=OTHER, vni=7)

    assert not takes_in_another(wanted, [])
    assert not takes_in_another(wanted, [V4, V6, theirs])
    assert takes_in_another(wanted, [replace(V4, vni=7), V6])
    assert takes_in_another(wanted, [V4, replace(V6, port=4789)])


def test_until_it_is_known_whether_a_vtep_hears_on_both_it_is_as_was_said() -> None:
    present = [replace(V4, dual=True, claimed_at=5), replace(V6, claimed_at=6)]

    def writes(dual: frozenset[str] | None) -> list[bool]:
        speaker = replace(ME, dual=dual)
        wanted = lines_for(ALLOCATION, speaker)
        found = changes(wanted, present, speaker=speaker, alive={ME.node})
        return [change.line.dual for change in found]

    assert writes(None) == []
    assert writes(frozenset()) == [False]
    assert writes(frozenset({"w1024-64000"})) == [True]


def test_an_overlay_without_a_block_has_nothing_to_say() -> None:
    gateway_only = Allocation(overlays=(replace(DCOS, block=None, block6=None),))

    assert lines_for(gateway_only, ME) == ()


def test_what_stands_there_already_is_not_written_again() -> None:
    assert change([replace(V4, claimed_at=5), replace(V6, claimed_at=6)]) == ()


def test_a_changed_line_is_written_in_place() -> None:
    moved = replace(V4, agent_ip=ip_address("10.0.0.77"))

    assert change([moved, V6]) == (Write(V4),)


def test_a_line_of_ours_that_is_not_wanted_any_more_is_withdrawn() -> None:
    renumbered = Allocation(
        overlays=(with_vtep(address=None, mac="02:00:00:00:00:09"),)
    )
    v4_gone = replace(
        renumbered, overlays=(replace(renumbered.overlays[0], block=None),)
    )

    found = change([V4, V6], allocation=v4_gone)

    assert Withdraw(V4) in found
    assert [type(one) for one in found] == [Withdraw, Write]


def test_the_lines_of_others_are_left_alone() -> None:
    theirs = replace(V4, node=OTHER, name="a9", agent_ip=ip_address("10.0.0.9"))

    assert change([V4, V6, theirs]) == ()


def test_a_former_life_of_ours_is_withdrawn() -> None:
    former = replace(V4, node=OLD)

    assert change([former, V4, V6]) == (Withdraw(former),)


def test_a_former_life_at_another_vtep_address_is_known_by_its_content() -> None:
    former = replace(V4, node=OLD, vtep=ip_interface("44.128.0.6/20"))

    assert change([former, V4, V6]) == (Withdraw(former),)


def test_a_namesake_that_lives_is_a_conflict_and_no_former_life() -> None:
    twin = replace(V4, node=OLD)

    assert change([twin, V4, V6], alive={ME.node, OLD}) == ()


def test_a_dead_agent_of_another_name_keeps_its_line() -> None:
    dead = replace(V4, node=OLD, name="a2")

    assert change([dead, V4, V6]) == ()


@given(st.lists(lines()), st.sets(st.sampled_from([OLD, OTHER])))
def test_only_ours_is_ever_touched(present: list[Line], alive: set[str]) -> None:
    for found in change(present, alive):
        mine = found.line.node == ME.node
        former = (found.line.name, found.line.agent_ip) == (ME.name, ME.agent_ip)
        assert mine or (isinstance(found, Withdraw) and former)


@given(st.lists(lines()))
def test_after_the_changes_there_is_nothing_left_to_change(present: list[Line]) -> None:
    table = {(line.overlay, line.vtep, line.node): line for line in present}

    for found in change(list(table.values())):
        place = found.line.overlay, found.line.vtep, found.line.node
        if isinstance(found, Write):
            table[place] = found.line
        else:
            del table[place]

    assert change(list(table.values())) == ()


def test_leaving_for_good_withdraws_every_line_of_ours_and_no_other() -> None:
    theirs = replace(V4, node=OTHER)

    gone = withdrawal_of_all([V4, V6, theirs], node=ME.node)

    assert gone == (Withdraw(V4), Withdraw(V6))


def claimed(line: Line, at: int) -> Line:
    return replace(line, claimed_at=at)


@given(st.integers(1, 100), st.booleans())
def test_a_line_written_again_keeps_the_age_of_its_claim(
    at: int, renamed: bool
) -> None:
    before = claimed(replace(V4, name="b1") if renamed else replace(V4, mtu=1400), at)

    assert change([before, claimed(V6, 7)]) == (Write(claimed(V4, at)),)


def test_a_line_that_claims_something_else_is_a_new_claim() -> None:
    for other in (
        replace(V4, mac="02:00:00:00:00:77"),
        replace(V4, subnet=DCOS.block.supernet()),  # type: ignore[union-attr]
        replace(V4, agent_ip=ip_address("10.0.0.77")),
    ):
        assert change([claimed(other, 3), V6]) == (Write(V4),)


def test_whoever_comes_back_under_a_new_id_keeps_the_age_of_its_claims() -> None:
    former = claimed(replace(V4, node=OLD), 5)

    assert change([former, V6]) == (Withdraw(former), Write(claimed(V4, 5)))
    assert change([former, claimed(V4, 9), V6]) == (
        Withdraw(former),
        Write(claimed(V4, 5)),
    )
