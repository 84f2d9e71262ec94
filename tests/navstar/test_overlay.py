"""Desired rows: what each agent's lines become, and who wins a conflict."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)

import pytest
from hypothesis import given
from hypothesis import strategies as st

from navstar.allocation import Allocation, Overlay, Vtep
from navstar.line import Line
from navstar.overlay import Desired, Underlay, desired_rows, metric_of
from navstar.tables import (
    Addr,
    Fdb,
    Link,
    Neighbour,
    Route,
    Row,
    Rule,
    kernel_key,
    link_of,
)

SUBNET4, SUBNET6 = IPv4Network("9.0.0.0/8"), IPv6Network("fd01:b::/64")
ME = "01" * 16


def number(n: int) -> str:
    return f"{n:02x}" * 16


def mac(n: int) -> str:
    return f"70:b3:d5:80:00:{n:02x}"


def block4(n: int) -> IPv4Network:
    return IPv4Network(f"9.0.{n}.0/24")


def block6(n: int) -> IPv6Network:
    return IPv6Network(f"fd01:b:0:0:{n:x}::/80")


VTEP = Vtep(
    "vtep1024",
    1024,
    mac(1),
    address=IPv4Interface("44.128.0.1/20"),
    address6=IPv6Interface("fd01:a::1/64"),
)
DCOS = Overlay("dcos", VTEP, SUBNET4, block4(1), SUBNET6, block6(1))
UNDERLAY = Underlay(IPv4Address("10.0.0.1"), 1500)


def line4(n: int, **changes) -> Line:
    line = Line(
        overlay=SUBNET4,
        vtep=IPv4Interface(f"44.128.0.{n}/20"),
        mac=mac(n),
        agent_ip=IPv4Address(f"10.0.0.{n}"),
        subnet=block4(n),
        vni=1024,
        port=64000,
        node=number(n),
        name=f"a{n}",
        claimed_at=n,
    )
    return replace(line, **changes)


def line6(n: int, **changes) -> Line:
    changes = {
        "overlay": SUBNET6,
        "vtep": IPv6Interface(f"fd01:a::{n:x}/64"),
        "subnet": block6(n),
    } | changes
    return line4(n, **changes)


def desire(*lines: Line, overlays=(DCOS,), underlay=UNDERLAY) -> Desired:
    return desired_rows(Allocation(overlays), lines, underlay=underlay, me=ME)


def led_to(desired: Desired) -> set[Row]:
    """The rows that lead to others."""
    return {r for r in desired.rows if isinstance(r, Neighbour | Fdb | Route)}


# What rows there are.


def test_an_agent_alone_has_its_link_addresses_and_rules():
    link = Link("vtep1024", 1024, 64000, UNDERLAY.agent_ip, mac(1), 1450)

    assert desire() == Desired(
        rows=frozenset(
            {
                link,
                Addr("vtep1024", IPv4Interface("44.128.0.1/20")),
                Addr("vtep1024", IPv6Interface("fd01:a::1/64")),
                Rule(SUBNET4, 42, 32000),
                Rule(SUBNET6, 42, 32000),
            }
        )
    )


def test_an_ipv4_line_gives_neighbour_fdb_row_and_two_routes():
    via = IPv4Address("44.128.0.3")

    assert led_to(desire(line4(3))) == {
        Neighbour("vtep1024", via, mac(3)),
        Fdb("vtep1024", mac(3), IPv4Address("10.0.0.3")),
        Route("vtep1024", block4(3), via, metric_of(via)),
        Route("vtep1024", IPv4Network("10.0.0.3/32"), via, metric_of(via), 42),
    }


def test_an_ipv6_line_stands_without_an_ipv4_one():
    via = IPv6Address("fd01:a::3")

    assert led_to(desire(line6(3))) == {
        Neighbour("vtep1024", via, mac(3)),
        Fdb("vtep1024", mac(3), IPv4Address("10.0.0.3")),
        Route("vtep1024", block6(3), via, metric_of(via)),
    }


def test_an_agent_with_an_ipv6_address_gets_a_host_route_in_that_family_too():
    agent6 = IPv6Address("fd00::3")

    rows = desire(line4(3, underlay6=agent6), line6(3, underlay6=agent6)).rows

    hosts = {row.subnet for row in rows if isinstance(row, Route) and row.table == 42}
    assert hosts == {IPv4Network("10.0.0.3/32"), IPv6Network("fd00::3/128")}


def test_an_overlay_of_ipv6_only_needs_no_ipv4_at_all():
    overlay = Overlay(
        "six", replace(VTEP, address=None), subnet6=SUBNET6, block6=block6(1)
    )
    underlay = Underlay(IPv6Address("fd00::1"), 1500)

    desired = desire(
        line6(3, agent_ip=IPv6Address("fd00::3")),
        overlays=(overlay,),
        underlay=underlay,
    )

    assert (desired.skipped, desired.unusable) == ((), ())
    assert Fdb("vtep1024", mac(3), IPv6Address("fd00::3")) in desired.rows
    assert not [
        row
        for row in desired.rows
        if isinstance(row, Addr | Rule | Route)
        and (row.address if isinstance(row, Addr) else row.subnet).version == 4
    ]
    (link,) = (row for row in desired.rows if isinstance(row, Link))
    assert link.mtu == 1430


def test_overlays_that_share_a_vtep_share_its_rows():
    other = Overlay(
        "other", VTEP, IPv4Network("11.0.0.0/8"), IPv4Network("11.0.1.0/24")
    )
    second = line4(
        3, overlay=IPv4Network("11.0.0.0/8"), subnet=IPv4Network("11.0.3.0/24")
    )

    rows = desire(line4(3), second, overlays=(DCOS, other)).rows

    kinds = Counter(type(row) for row in rows)
    assert (kinds[Link], kinds[Neighbour], kinds[Fdb]) == (1, 1, 1)
    assert kinds[Route] == 3  # two blocks, one agent
    assert kinds[Rule] == 3


def test_an_agent_behind_two_vteps_gets_one_host_route():
    beside = Overlay(
        "beside",
        Vtep("vtep2", 2, mac(1), address=IPv4Interface("45.128.0.1/20")),
        IPv4Network("11.0.0.0/8"),
        IPv4Network("11.0.1.0/24"),
    )
    second = line4(
        3,
        overlay=IPv4Network("11.0.0.0/8"),
        vtep=IPv4Interface("45.128.0.3/20"),
        subnet=IPv4Network("11.0.3.0/24"),
        vni=2,
    )

    desired = desire(line4(3), second, overlays=(DCOS, beside))

    (host,) = (r for r in desired.rows if isinstance(r, Route) and r.table == 42)
    assert host.link == "vtep1024"
    assert len([row for row in desired.rows if isinstance(row, Fdb)]) == 2
    assert desired.conflicts == ()


@pytest.mark.parametrize(
    ("agent_ip", "mtu", "wanted", "expected"),
    [
        ("10.0.0.1", 1500, None, 1450),
        ("fd00::1", 1500, None, 1430),
        ("10.0.0.1", 9000, None, 8950),
        ("10.0.0.1", 1500, 1400, 1400),
        ("10.0.0.1", 1300, None, 1280),  # IPv6 inside needs that much
    ],
)
def test_the_mtu_leaves_room_for_the_outer_headers(agent_ip, mtu, wanted, expected):
    underlay = Underlay(
        IPv4Address(agent_ip) if "." in agent_ip else IPv6Address(agent_ip), mtu
    )
    overlay = replace(DCOS, vtep=replace(VTEP, mtu=wanted))

    rows = desire(overlays=(overlay,), underlay=underlay).rows

    assert {row.mtu for row in rows if isinstance(row, Link)} == {expected}


def test_the_metric_follows_from_the_vtep_address_and_differs_between_agents():
    agents = [IPv4Address("44.128.0.0") + n for n in range(4096)]

    assert len({metric_of(agent) for agent in agents}) == len(agents)
    assert metric_of(IPv4Address("44.128.0.3")) == 4
    assert metric_of(IPv6Address("fd01:a::")) == 1


# What is left out.


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"vni": 7}, "VNI 7"),
        ({"port": 4789}, "port 4789"),
        ({"mac": "01:00:5e:00:00:01"}, "MAC"),
        ({"mac": "00:00:00:00:00:00"}, "MAC"),
        ({"mac": "70:B3:D5:80:00:03"}, "MAC"),
        ({"mac": "hello"}, "MAC"),
        ({"vtep": IPv4Interface("44.129.0.3/20")}, "VTEP address"),
        ({"vtep": IPv4Interface("44.128.0.0/20")}, "VTEP address"),
        ({"vtep": IPv4Interface("44.128.15.255/20")}, "VTEP address"),
        ({"vtep": IPv4Interface("0.0.0.0/0")}, "VTEP address"),
        ({"vtep": IPv4Interface("224.0.0.1/20")}, "VTEP address"),
        ({"vtep": IPv6Interface("fd01:a::3/64")}, "VTEP address"),
        ({"subnet": IPv4Network("10.1.0.0/24")}, "block"),
        ({"subnet": IPv4Network("0.0.0.0/0")}, "block"),
        ({"subnet": block6(3)}, "block"),
        ({"agent_ip": IPv4Address("224.0.0.1")}, "agent address"),
        ({"agent_ip": IPv4Address("127.0.0.1")}, "agent address"),
        ({"agent_ip": IPv4Address(0)}, "agent address"),
        ({"agent_ip": IPv4Address("9.0.3.1")}, "inside the overlay"),
        ({"agent_ip": IPv4Address("44.128.0.3")}, "inside the overlay"),
        ({"agent_ip": IPv6Address("fd00::3")}, "no IPv4 address"),
        ({"underlay6": IPv6Address("fe80::3")}, "agent address"),
        ({"overlay": IPv4Network("12.0.0.0/8")}, "not in the overlay"),
    ],
)
def test_a_line_that_does_not_fit_is_skipped_alone(changes, reason):
    desired = desire(line4(3, **changes), line4(4), line6(4))

    assert led_to(desired) == led_to(desire(line4(4), line6(4)))
    assert [s.node for s in desired.skipped] == [number(3)]
    assert reason in desired.skipped[0].reason


@pytest.mark.parametrize(
    "changes",
    [
        {"subnet": SUBNET4},
        {"subnet": block4(1)},
        {"subnet": IPv4Network("9.0.1.128/25")},
        {"vtep": IPv4Interface("44.128.0.1/20")},
        {"mac": mac(1)},
        {"agent_ip": IPv4Address("10.0.0.1")},
    ],
)
def test_what_is_ours_is_never_led_to_another(changes):
    older, younger = line4(3, claimed_at=0, **changes), line4(3, **changes)
    mine = line4(1, node=ME, claimed_at=1)

    for theirs in (older, younger):
        assert led_to(desire(theirs)) == set()
        assert led_to(desire(theirs, mine)) == set()
    assert "own" in desire(older).skipped[0].reason
    assert [c.loser for c in desire(younger, mine).conflicts] == [number(3)]


def test_our_own_lines_give_no_rows_and_are_counted():
    mine = [line4(1, node=ME), line6(1, node=ME)]

    desired = desire(*mine, line4(3))

    assert desired.own == 2
    assert desired.skipped == ()
    assert desired.rows == desire(line4(3)).rows


def test_our_lines_under_an_older_node_id_give_no_rows():
    desired = desire(line4(1, node=number(9), claimed_at=0), line4(1, node=ME))

    assert desired.conflicts == ()
    assert desired.rows == desire().rows


def test_an_address_of_this_host_is_never_led_away():
    underlay = replace(UNDERLAY, addresses=frozenset({IPv4Address("10.0.0.3")}))

    assert led_to(desire(line4(3), underlay=underlay)) == set()


def test_what_an_agent_says_last_of_itself_counts():
    older = line4(3)
    newer = line4(3, vtep=IPv4Interface("44.128.0.33/20"), claimed_at=99)

    desired = desire(older, newer)

    assert led_to(desired) == led_to(desire(newer))
    assert desired.conflicts == ()
    assert [s.reason for s in desired.skipped] == ["the agent published a newer line"]


@pytest.mark.parametrize(
    "overlay",
    [
        Overlay("none", VTEP),
        Overlay("block only", VTEP, block=block4(2)),
        Overlay("other vni", replace(VTEP, vni=5), IPv4Network("11.0.0.0/8"),
                IPv4Network("11.0.1.0/24")),
        Overlay("other name", replace(VTEP, name="v2"), IPv4Network("11.0.0.0/8"),
                IPv4Network("11.0.1.0/24")),
        Overlay("same network", replace(VTEP, name="v2", vni=2),
                IPv4Network("11.0.0.0/8"), IPv4Network("11.0.1.0/24")),
        Overlay("same subnet", VTEP, SUBNET4, block4(2)),
    ],
)  # fmt: skip
def test_an_overlay_that_cannot_be_is_left_out_alone(overlay):
    desired = desire(line4(3), overlays=(DCOS, overlay))

    assert [skipped.name for skipped in desired.unusable] == [overlay.name]
    assert desired.rows == desire(line4(3)).rows


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
