"""What is worked out from the difference is what would be worked out from nothing."""

from __future__ import annotations

import time
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from navstar.allocation import Allocation
from navstar.claims import Claim, Ledger, age
from navstar.overlay import DesiredState, desired_rows
from navstar.settlement import Settlement
from navstar.tables import Fdb
from tests.navstar.overlay_lines import (
    DCOS,
    ME,
    UNDERLAY,
    block4,
    line4,
    line6,
    mac,
    number,
)

ALLOCATION = Allocation((DCOS,))

hosts = st.integers(1, 5)
blocks = hosts.map(block4) | st.sampled_from(
    [IPv4Network(text) for text in ("9.0.2.0/23", "9.0.3.128/25", "9.0.0.0/21")]
)
own_or_other = hosts.map(lambda n: ME if n == 1 else number(n))
any_line = st.builds(
    lambda n, at, **parts: line4(n, claimed_at=at, **parts),
    hosts,
    st.integers(0, 3),
    mac=hosts.map(mac),
    agent_ip=hosts.map(lambda n: IPv4Address(f"10.0.0.{n}")),
    node=own_or_other,
    subnet=blocks,
    vni=st.sampled_from([1024, 1024, 1024, 7]),
) | st.builds(
    lambda n, at, node: line6(n, claimed_at=at, node=node),
    hosts,
    st.integers(0, 3),
    own_or_other,
)
#: A pool of lines, and which of them stand at each moment.
histories = st.lists(any_line, min_size=1, max_size=10).flatmap(
    lambda pool: st.tuples(
        st.just(pool), st.lists(st.sets(st.integers(0, len(pool) - 1)), max_size=6)
    )
)


@settings(max_examples=300)
@given(histories)
def test_whatever_came_before_it_says_what_the_latest_lines_say(history):
    pool, moments = history
    state = DesiredState(ALLOCATION, underlay=UNDERLAY, me=ME)

    for moment in moments:
        lines = [pool[at] for at in sorted(moment)]
        scratch = desired_rows(ALLOCATION, lines, underlay=UNDERLAY, me=ME)

        assert state.follow(lines) == scratch


claims = st.builds(
    lambda node, overlay, at, address, block: Claim(
        overlay=overlay,
        identity={("MAC", "vtep1024"): mac(address), ("A", overlay): b"%d" % node},
        block=block,
        node=number(node),
        name=f"a{node}",
        claimed_at=at,
    ),
    hosts,
    st.sampled_from(["9.0.0.0/8", "11.0.0.0/8"]),
    st.integers(0, 3),
    hosts,
    blocks,
)


@settings(max_examples=300)
@given(st.lists(st.lists(claims | st.tuples(hosts), min_size=1, max_size=4)))
def test_settling_a_group_is_settling_all(changes):
    settlement = Settlement()
    for some in changes:
        settlement.change(
            {
                (one.node, one.overlay): one if isinstance(one, Claim) else None
                for one in some
                if isinstance(one, Claim)
            }
            | {
                (number(one[0]), "9.0.0.0/8"): None
                for one in some
                if not isinstance(one, Claim)
            }
        )
        ledger = Ledger()
        standing = settlement.claims.items()
        at_once = {
            key: conflict
            for key, claim in sorted(standing, key=lambda item: age(item[1]))
            if (conflict := ledger.grant(claim)) is not None
        }

        assert settlement.conflicts == at_once


def test_nothing_new_is_the_very_same_answer():
    state = DesiredState(ALLOCATION, underlay=UNDERLAY, me=ME)
    lines = [line4(3), line6(3), line4(4)]

    assert state.follow(lines) is state.follow(list(reversed(lines)))


def test_rows_that_stay_are_the_same_objects():
    state = DesiredState(ALLOCATION, underlay=UNDERLAY, me=ME)
    stays = [line4(3), line6(3)]
    before = {row: id(row) for row in state.follow([*stays, line4(4)]).rows}

    after = state.follow([*stays, line4(4, mac=mac(9))]).rows

    assert all(before.get(row, id(row)) == id(row) for row in after)
    assert Fdb("vtep1024", mac(9), IPv4Address("10.0.0.4")) in after


def _many(count: int, **changes):
    return [
        line4(
            3,
            vtep=IPv4Interface((int(IPv4Address("44.128.0.2")) + n, 9)),
            mac=f"70:b3:d5:00:{n >> 8:02x}:{n & 255:02x}",
            agent_ip=IPv4Address("10.1.0.2") + n,
            subnet=IPv4Network((int(IPv4Address("9.1.0.0")) + n * 256, 24)),
            node=f"{n + 2:032x}",
            claimed_at=n,
            **changes,
        )
        for n in range(count)
    ]


@pytest.mark.parametrize("shared", [{}, {"mac": mac(9)}, {"subnet": block4(9)}])
def test_one_change_costs_little_and_a_crowd_of_rivals_no_more_than_its_size(shared):
    vtep = replace(DCOS.vtep, address=IPv4Interface("44.128.0.1/9"))
    allocation = Allocation((replace(DCOS, vtep=vtep),))
    lines = [replace(line, **shared) for line in _many(1000)]
    state = DesiredState(allocation, underlay=UNDERLAY, me=ME)
    began = time.process_time()
    state.follow(lines)
    whole = time.process_time() - began

    # The least of some: in a long run a collection of all garbage may fall into one.
    ones = []
    for name in ("one", "another", "a third"):
        began = time.process_time()
        state.follow([*lines[:-1], replace(lines[-1], name=name)])
        ones.append(time.process_time() - began)
    one = min(ones)

    # Rivals for one MAC are one group: all of it is settled anew, and only once.
    assert one < (3 * whole if shared else whole / 5)
