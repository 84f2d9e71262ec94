"""Desired rows: what each agent's lines become."""

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

from navstar.allocation import Overlay, Vtep
from navstar.overlay import Desired, Underlay, metric_of
from navstar.tables import (
    Addr,
    Fdb,
    Link,
    Neighbour,
    Route,
    Rule,
    link_of,
)
from tests.navstar.overlay_lines import (
    DCOS,
    ME,
    SUBNET4,
    SUBNET6,
    UNDERLAY,
    VTEP,
    block4,
    block6,
    desire,
    led_to,
    line4,
    line6,
    mac,
    number,
)

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
        ),
        blocks=(block4(1), block6(1)),
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


@pytest.mark.parametrize(
    ("numbers", "shown"),
    [
        ({"vni": 7}, {"vni": 7}),
        ({"port": 4789}, {"port": 4789}),
        ({"vni": 7, "port": 4789}, {"vni": 7, "port": 4789}),
        ({"vni": 1024, "port": 64000}, {}),
    ],
)
def test_frames_leave_with_the_numbers_that_the_other_agent_takes_in(numbers, shown):
    desired = desire(line4(3, **numbers), line4(4))

    fdb = Fdb("vtep1024", mac(3), IPv4Address("10.0.0.3"), **shown)
    assert fdb in desired.rows
    assert desired.skipped == ()


def test_an_agent_that_has_said_new_numbers_in_one_family_only_has_one_fdb_row():
    lines = line4(3, vni=7), line6(3)

    for order in (lines, lines[::-1]):
        fdbs = [row for row in desire(*order).rows if isinstance(row, Fdb)]
        assert fdbs == [Fdb("vtep1024", mac(3), IPv4Address("10.0.0.3"))]


#: On IPv4 first, and on IPv6 as well.
BOTH = Underlay(IPv4Address("10.0.0.1"), second_ip=IPv6Address("fd00::1"))
SECOND = "w1024-64000"


def test_an_agent_on_the_other_family_alone_is_led_to_by_a_second_link():
    agent, via = IPv6Address("fd00::3"), IPv4Address("44.128.0.3")

    desired = desire(line4(3, agent_ip=agent), underlay=BOTH)

    assert desired.skipped == ()
    assert desired.rows - desire(underlay=BOTH).rows == {
        Link(SECOND, 1024, 64000, IPv6Address("fd00::1"), mac(1), 1430, loose=True),
        Addr(SECOND, IPv4Interface("44.128.0.1/32")),
        Neighbour(SECOND, via, mac(3)),
        Fdb(SECOND, mac(3), agent),
        Route(SECOND, block4(3), via, metric_of(via)),
    }


def test_an_agent_that_hears_on_both_is_led_to_by_the_first_link():
    other = {"agent_ip": IPv6Address("fd00::3"), "underlay4": IPv4Address("10.0.0.3")}

    rows = led_to(desire(line4(3, dual=True, **other), underlay=BOTH))

    assert Fdb("vtep1024", mac(3), IPv4Address("10.0.0.3")) in rows
    assert {link_of(row) for row in rows} == {"vtep1024"}


def test_the_second_link_stays_where_the_other_agent_is_on_that_family_first():
    """If each waited for the other to need it, both would come and go for ever."""
    other = {"agent_ip": IPv6Address("fd00::3"), "underlay4": IPv4Address("10.0.0.3")}

    rows = desire(line6(3, dual=True, **other), underlay=BOTH).rows

    assert SECOND in {row.name for row in rows if isinstance(row, Link)}
    assert Addr(SECOND, IPv6Interface("fd01:a::1/64")) in rows


def test_where_all_are_on_one_family_there_is_no_second_link():
    lines = line4(3, underlay6=IPv6Address("fd00::3")), line6(4)

    assert desire(*lines, underlay=BOTH) == desire(*lines)


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
        ({"agent_ip": IPv6Address("fd00::3")}, "VTEP is on IPv6"),
        (  # Its VXLAN socket is one of IPv6 alone: what we sent would be lost.
            {
                "agent_ip": IPv6Address("fd00::3"),
                "underlay4": IPv4Address("10.0.0.3"),
            },
            "VTEP is on IPv6",
        ),
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
