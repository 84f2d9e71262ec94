"""Packed netlink messages, with pyroute2 as the oracle."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_interface, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroute2 import IPRoute
from pyroute2.netlink.rtnl.fibmsg import fibmsg
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.ndmsg import ndmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from navstar.diff import Put
from navstar.netlink_addresses import put_addr_request, read_addr
from navstar.netlink_codec import (
    HEADER,
    NLM_F_ACK_TLVS,
    NLM_F_CAPPED,
    S32,
    Message,
    Rtm,
    attribute,
    attributes,
    error_of,
    message,
    messages,
)
from navstar.netlink_links import change_requests, create_requests, read_link
from navstar.netlink_rows import (
    delete_request,
    put_request,
    read_neighbour,
    read_route,
    read_rule,
)
from navstar.netlink_socket import NetlinkSocket, Refusal
from navstar.overlay_backend import Kernel
from navstar.tables import PROTOCOL, Addr, Fdb, Link, Neighbour, Route, Rule
from tests.kernel_namespace import in_namespace, ip
from tests.navstar.example_rows import GROUND, LINK, VTEP, insertion_order, path_to

v4s, v6s = st.ip_addresses(v=4), st.ip_addresses(v=6)
macs = st.binary(min_size=6, max_size=6).map(lambda raw: raw.hex(":"))
u32s = st.integers(1, 2**32 - 1)


def networks_of(addresses, longest):
    return st.builds(
        lambda address, length: ip_network(f"{address}/{length}", strict=False),
        addresses,
        st.integers(1, longest),
    )


networks = networks_of(v4s, 32) | networks_of(v6s, 128)
neighbours = st.builds(Neighbour, st.just(VTEP), v4s | v6s, macs)
fdbs = st.builds(
    Fdb,
    st.just(VTEP),
    macs,
    v4s | v6s,
    st.none() | st.integers(1, 2**24 - 1),
    st.none() | st.integers(1, 2**16 - 1),
)
routes = st.builds(
    Route, st.just(VTEP), networks_of(v4s, 32), v4s, u32s, u32s
) | st.builds(Route, st.just(VTEP), networks_of(v6s, 128), v6s, u32s, u32s)
rules = st.builds(Rule, networks, u32s, u32s)
addrs = st.builds(
    lambda address, length: Addr(VTEP, ip_interface(f"{address}/{length}")),
    v4s | v6s,
    st.integers(1, 32),
)


def as_pyroute2(parser, request):
    decoded = parser(message(request.type, request.flags, 1, request.body))
    decoded.decode()
    return decoded


def as_message(request) -> Message:
    (got,) = messages(message(request.type, 0, 1, request.body))
    return got


@given(neighbours)
def test_pyroute2_reads_our_neighbours(row):
    got = as_pyroute2(ndmsg, put_request(row, 7))

    assert (got["ifindex"], got["state"]) == (7, 0x80)
    assert ip_address(got.get_attr("NDA_DST")) == row.address
    assert got.get_attr("NDA_LLADDR") == row.mac
    assert got.get_attr("NDA_PROTOCOL") == PROTOCOL


@given(fdbs)
def test_pyroute2_reads_our_fdb_rows(row):
    got = as_pyroute2(ndmsg, put_request(row, 7))

    assert (got["family"], got["ifindex"], got["flags"]) == (7, 7, 2)
    assert got["state"] == 0xC0
    assert got.get_attr("NDA_LLADDR") == row.mac
    assert ip_address(got.get_attr("NDA_DST")) == row.agent
    assert got.get_attr("NDA_VNI") == row.vni
    assert got.get_attr("NDA_PORT") == row.port


@given(routes)
def test_pyroute2_reads_our_routes(row):
    got = as_pyroute2(rtmsg, put_request(row, 7))

    assert ip_address(got.get_attr("RTA_DST")) == row.subnet.network_address
    assert (got["dst_len"], got["proto"]) == (row.subnet.prefixlen, PROTOCOL)
    assert ip_address(got.get_attr("RTA_GATEWAY")) == row.via
    assert got.get_attr("RTA_OIF") == 7
    assert got.get_attr("RTA_PRIORITY") == row.metric
    assert got.get_attr("RTA_TABLE") == row.table


@given(rules)
def test_pyroute2_reads_our_rules(row):
    got = as_pyroute2(fibmsg, put_request(row, 0))

    assert ip_address(got.get_attr("FRA_SRC")) == row.subnet.network_address
    assert (got["src_len"], got["action"]) == (row.subnet.prefixlen, 1)
    assert got.get_attr("FRA_TABLE") == row.table
    assert got.get_attr("FRA_PRIORITY") == row.priority
    assert got.get_attr("FRA_PROTOCOL") == PROTOCOL


@given(addrs)
def test_pyroute2_reads_our_addresses(row):
    got = as_pyroute2(ifaddrmsg, put_addr_request(row, 7))

    assert (got["index"], got["prefixlen"]) == (7, row.address.network.prefixlen)
    assert ip_address(got.get_attr("IFA_ADDRESS")) == row.address.ip
    assert got.get_attr("IFA_PROTO") == PROTOCOL


@given(neighbours | fdbs | routes | rules)
def test_what_is_written_reads_back_the_same(row):
    for request in (put_request(row, 7), delete_request(row, 7)):
        got = as_message(request)
        match row:
            case Neighbour() | Fdb():
                assert read_neighbour(got, {7: VTEP}) == row
            case Route():
                assert read_route(got, {7: VTEP}.get) == row
            case Rule():
                assert read_rule(got) == row


@given(routes, rules, addrs, st.integers(0, 255).filter(lambda n: n != PROTOCOL))
def test_a_row_with_another_mark_is_a_strangers(route, rule, addr, mark):
    """Kernels before 4.20 ignore the filter of a dump, so it is checked here too."""
    got = as_message(put_request(route, 7))
    stranger = got.body[:5] + bytes((mark,)) + got.body[6:]
    assert read_route(got._replace(body=stranger), {7: VTEP}.get) is None

    for request, read in (
        (put_request(rule, 0), read_rule),
        (put_addr_request(addr, 7), lambda m: read_addr(m, {7: VTEP}, marked=True)),
    ):
        got = as_message(request)
        # The mark is the last attribute of both: one byte and its padding.
        assert read(got._replace(body=got.body[:-4] + bytes((mark, 0, 0, 0)))) is None


@given(neighbours | fdbs)
def test_a_neighbour_on_another_link_is_a_strangers(row):
    assert read_neighbour(as_message(put_request(row, 8)), {7: VTEP}) is None


def test_before_kernels_marked_addresses_all_but_link_local_ones_were_ours():
    plain = Addr(VTEP, ip_interface("44.128.0.1/20"))
    got = as_message(put_addr_request(plain, 7))
    unmarked = got._replace(body=got.body[:-8])
    link_local = unmarked._replace(
        body=unmarked.body[:3] + bytes((253,)) + unmarked.body[4:]
    )

    assert read_addr(unmarked, {7: VTEP}, marked=True) is None
    assert read_addr(unmarked, {7: VTEP}, marked=False) == plain
    assert read_addr(link_local, {7: VTEP}, marked=False) is None


@given(addrs)
def test_an_address_reads_back_the_same(row):
    got = as_message(put_addr_request(row, 7))

    assert read_addr(got, {7: VTEP}, marked=True) == row


def test_a_new_link_is_described_in_full_and_marked_by_its_index():
    create, mark = create_requests(LINK, 77)

    got = as_pyroute2(ifinfmsg, create)
    data = got.get_nested("IFLA_LINKINFO", "IFLA_INFO_DATA")

    assert read_link(as_message(create)).link == replace(LINK, up=False)
    assert (got["index"], got.get_attr("IFLA_IFNAME")) == (77, VTEP)
    assert got.get_attr("IFLA_ADDRESS") == LINK.mac
    assert data.get_attr("IFLA_VXLAN_PORT") == LINK.port
    marked = as_pyroute2(ifinfmsg, mark)
    assert (marked["index"], marked["flags"]) == (77, 1)
    assert marked.get_attr("IFLA_IFALIAS") == "navstar"
    assert marked.get_attr("IFLA_IFNAME") is None


def test_a_link_that_fits_is_not_touched():
    found = read_link(as_message(create_requests(LINK, 77)[0]))

    assert change_requests(found, replace(LINK, up=False)) == ()


def test_a_mac_that_fits_is_not_set_again():
    found = read_link(as_message(create_requests(LINK, 77)[0]))

    (request,) = change_requests(found, LINK)

    assert as_pyroute2(ifinfmsg, request).get_attr("IFLA_ADDRESS") is None


@given(st.binary(max_size=200))
def test_bytes_that_are_no_messages_are_no_messages(data):
    for got in messages(data):
        assert len(got.body) <= len(data) - HEADER.size
        attributes(got.body, 0)


def test_an_error_tells_its_number_and_the_kernels_words():
    words = attribute(1, b"Cannot change port.\0")
    echoed = HEADER.pack(HEADER.size + 8, Rtm.NEWLINK, 0, 3, 0)
    flags = NLM_F_ACK_TLVS | NLM_F_CAPPED
    capped = Message(2, flags, 3, 0, S32.pack(-95) + echoed + words)
    whole = Message(
        2, NLM_F_ACK_TLVS, 3, 0, S32.pack(-95) + echoed + b"12345678" + words
    )
    silent = Message(2, NLM_F_CAPPED, 3, 0, S32.pack(-2) + echoed)

    assert error_of(capped) == (95, "Cannot change port.")
    assert error_of(whole) == (95, "Cannot change port.")
    assert error_of(silent) == (2, "")
    assert str(Refusal(2, "")) == "No such file or directory"


@pytest.mark.kernel
def test_pyroute2_and_we_read_the_same_from_the_kernel():
    @in_namespace
    def _():
        fdb = next(row for row in path_to(3) if isinstance(row, Fdb))
        other = replace(fdb, vni=1030, port=4789)
        desired = GROUND | path_to(2) | (path_to(3) - {fdb}) | {other}
        with Kernel() as kernel, IPRoute() as oracle:
            kernel.apply(map(Put, insertion_order(desired)))

            (index,) = oracle.link_lookup(ifname=VTEP)
            assert kernel.dump() == desired
            assert set(oracle_rows(oracle, index)) == {
                row for row in desired if not isinstance(row, Link | Addr)
            }


def oracle_rows(oracle, index):
    for got in oracle.get_neighbours(ifindex=index):
        if got["ifindex"] == index and got["state"] & 0x80:
            to, mac = ip_address(got.get_attr("NDA_DST")), got.get_attr("NDA_LLADDR")
            yield Neighbour(VTEP, to, mac)
    for got in oracle.fdb("dump", ifindex=index):
        if got["ifindex"] == index and got.get_attr("NDA_DST"):
            agent = ip_address(got.get_attr("NDA_DST"))
            numbers = got.get_attr("NDA_VNI"), got.get_attr("NDA_PORT")
            yield Fdb(VTEP, got.get_attr("NDA_LLADDR"), agent, *numbers)
    for family in (2, 10):
        for got in oracle.get_routes(family=family):
            if got["proto"] == PROTOCOL:
                subnet = ip_network(f"{got.get_attr('RTA_DST')}/{got['dst_len']}")
                via = ip_address(got.get_attr("RTA_GATEWAY"))
                metric = got.get_attr("RTA_PRIORITY")
                yield Route(VTEP, subnet, via, metric, got.get_attr("RTA_TABLE"))
        for got in oracle.get_rules(family=family):
            if got.get_attr("FRA_PROTOCOL") == PROTOCOL:
                subnet = ip_network(f"{got.get_attr('FRA_SRC')}/{got['src_len']}")
                table, priority = (
                    got.get_attr("FRA_TABLE"),
                    got.get_attr("FRA_PRIORITY"),
                )
                yield Rule(subnet, table, priority)


@pytest.mark.kernel
def test_a_refused_request_in_a_batch_answers_for_itself():
    @in_namespace
    def _():
        with Kernel() as kernel, NetlinkSocket() as netlink:
            kernel.apply([Put(LINK)])
            index = int(ip(f"-o link show {VTEP}").split(":")[0])
            good = [put_request(row, index) for row in path_to(2)]
            requests = []
            for number in range(200):
                requests += good
                if number % 50 == 7:
                    requests.append(put_request(Neighbour("", LINK.local, LINK.mac), 9))
            # Routes refuse to be put twice; neighbours and FDB rows do not.
            routes = {i for i, r in enumerate(requests) if r.type == Rtm.NEWROUTE}

            refused = netlink.transact(requests)

            strange = {i for i, refusal in refused.items() if refusal.errno == 19}
            assert len(strange) == 4
            assert set(refused) - strange == routes - set(sorted(routes)[:3])
