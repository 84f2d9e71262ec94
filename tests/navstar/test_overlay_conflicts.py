"""Who wins when agents claim the same, and the laws of desired rows."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
)

import pytest
from hypothesis import given
from hypothesis import strategies as st

from navstar.tables import (
    Fdb,
    Link,
    Neighbour,
    Route,
    kernel_key,
    link_of,
)
from tests.navstar.overlay_lines import (
    ME,
    block4,
    desire,
    led_to,
    line4,
    line6,
    mac,
    number,
)

# Who wins.

CLASHES = [
    ("VTEP address", {"vtep": IPv4Interface("44.128.0.3/20")}),
    ("MAC", {"mac": mac(3)}),
    ("agent address", {"agent_ip": IPv4Address("10.0.0.3")}),
    ("block", {"subnet": block4(3)}),
    ("block", {"subnet": IPv4Network("9.0.3.128/25")}),
    ("block", {"subnet": IPv4Network("9.0.2.0/23")}),
]


@pytest.mark.parametrize(("what", "changes"), CLASHES)
def test_the_older_claim_wins_and_the_other_is_reported(what, changes):
    held, claimed = line4(3, claimed_at=10), line4(4, claimed_at=20, **changes)

    desired = desire(claimed, held)

    assert led_to(desired) == led_to(desire(held))
    (conflict,) = desired.conflicts
    assert (conflict.what, conflict.winner, conflict.loser) == (
        what,
        number(3),
        number(4),
    )
    assert conflict.value in str(conflict)


def test_blocks_that_only_overlap_are_both_named():
    held, claimed = line4(3), line4(4, subnet=IPv4Network("9.0.2.0/23"))

    (conflict,) = desire(held, claimed).conflicts

    assert str(conflict) == (
        f"block 9.0.2.0/23 in 9.0.0.0/8: claimed by a4 ({number(4)}), "
        f"overlaps 9.0.3.0/24, held by a3 ({number(3)})"
    )


@pytest.mark.parametrize(("what", "changes"), CLASHES)
def test_of_claims_of_one_age_the_lower_node_id_wins(what, changes):
    held, claimed = line4(3, claimed_at=7), line4(4, claimed_at=7, **changes)

    assert led_to(desire(claimed, held)) == led_to(desire(held))


def test_a_claim_that_lost_stands_in_nobodys_way():
    first = line4(3, claimed_at=1)
    loser = line4(4, claimed_at=2, mac=mac(3))
    third = line4(5, claimed_at=3, vtep=IPv4Interface("44.128.0.4/20"))

    desired = desire(first, loser, third)

    assert led_to(desired) == led_to(desire(first, third))
    assert [conflict.loser for conflict in desired.conflicts] == [number(4)]


def test_two_nodes_that_say_exactly_the_same_are_no_conflict():
    again = line4(3, node=number(9), claimed_at=99)

    desired = desire(line4(3), again)

    assert desired.conflicts == ()
    assert desired.rows == desire(line4(3)).rows


def test_an_agent_that_came_back_may_add_a_family():
    old, new = line4(3), [line4(3, node=number(9)), line6(3, node=number(9))]

    desired = desire(old, *new)

    assert desired.conflicts == ()
    assert led_to(desired) == led_to(desire(*new))


def test_a_mac_counts_in_both_families():
    desired = desire(line4(3), line6(4, mac=mac(3)))

    assert [conflict.what for conflict in desired.conflicts] == ["MAC"]
    assert led_to(desired) == led_to(desire(line4(3)))


def test_an_older_claim_to_our_own_address_is_reported_and_not_programmed():
    mine = line4(1, node=ME, name="me", claimed_at=50)
    theirs = line4(3, vtep=IPv4Interface("44.128.0.1/20"), claimed_at=10)

    desired = desire(mine, theirs)

    assert led_to(desired) == set()
    (conflict,) = desired.conflicts
    assert (conflict.winner, conflict.loser) == (number(3), ME)


hosts = st.integers(2, 5)
lines = st.builds(
    lambda make, n, at, **parts: make(n, claimed_at=at, **parts),
    st.sampled_from([line4, line6]),
    hosts,
    st.integers(0, 3),
    mac=hosts.map(mac),
    agent_ip=hosts.map(lambda n: IPv4Address(f"10.0.0.{n}")),
    node=hosts.map(number),
)
tables = st.lists(lines, max_size=12)


@given(tables, st.randoms(use_true_random=False))
def test_the_order_of_lines_does_not_matter(table, rng):
    shuffled = list(table)
    rng.shuffle(shuffled)

    assert desire(*shuffled) == desire(*table)


@given(tables)
def test_there_is_one_row_per_kernel_key_and_each_is_on_a_link_that_is_there(table):
    rows = desire(*table).rows
    links = {row.name for row in rows if isinstance(row, Link)}

    assert len({kernel_key(row) for row in rows}) == len(rows)
    assert {link_of(row) for row in rows} <= links | {None}


@given(tables)
def test_every_line_of_others_is_programmed_or_skipped_or_in_conflict(table):
    desired = desire(*table)

    told = {s.node for s in desired.skipped} | {c.loser for c in desired.conflicts}
    assert {line.node for line in table} <= told | desired.agents


@given(tables)
def test_every_route_finds_its_neighbour_and_its_fdb_row(table):
    rows = desire(*table).rows
    neighbours = {r.address: r.mac for r in rows if isinstance(r, Neighbour)}
    fdb = {row.mac for row in rows if isinstance(row, Fdb)}

    for route in (row for row in rows if isinstance(row, Route)):
        assert neighbours[route.via] in fdb


@given(tables)
def test_no_two_programmed_blocks_overlap(table):
    rows = desire(*table).rows
    blocks = [r.subnet for r in rows if isinstance(r, Route) and r.table == 254]

    for at, block in enumerate(blocks):
        others = blocks[at + 1 :]
        assert not any(block.overlaps(o) for o in others if o.version == block.version)


@given(tables, lines)
def test_a_younger_claim_takes_no_row_from_an_older_one(table, newcomer):
    newcomer = replace(newcomer, claimed_at=99, node=number(9))

    before, after = desire(*table), desire(*table, newcomer)

    assert led_to(before) <= led_to(after)
