"""Rows that come by the thousand as netlink requests, and back. Pure.

Neighbours, FDB rows, routes and rules. `pyroute2` is the oracle for both
directions in the tests. What does not have exactly the form that navstar writes does
not become a row, so it can be neither ours nor deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network
from typing import TypeAlias

from navstar.allocation import Network
from navstar.netlink_codec import (
    AF_BRIDGE,
    AF_INET,
    AF_INET6,
    BE16,
    NEIGHBOUR_HEADER,
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REPLACE,
    ROUTE_HEADER,
    RULE_HEADER,
    U32,
    Message,
    Request,
    Rtm,
    attribute,
    attribute_u8,
    attribute_u32,
    attributes,
)
from navstar.tables import (
    PROTOCOL,
    Fdb,
    Neighbour,
    Route,
    Rule,
    address_of_bytes,
    unique,
)

PackedRow: TypeAlias = Neighbour | Fdb | Route | Rule

_NUD_NOARP, _NUD_PERMANENT, _NTF_SELF = 0x40, 0x80, 0x02
_NDA_DST, _NDA_LLADDR, _NDA_PROTOCOL = 1, 2, 12
_NDA_PORT, _NDA_VNI = 6, 7
#: An FDB row with it leaves otherwise than ours do.
_NDA_IFINDEX = 8

_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_PRIORITY, _RTA_TABLE = 1, 4, 5, 6, 15
_RTN_UNICAST, _RT_SCOPE_UNIVERSE = 1, 0
_RTNH_F_ONLINK, _RTM_F_CLONED = 0x04, 0x200

_FRA_SRC, _FRA_PRIORITY, _FRA_TABLE, _FRA_PROTOCOL = 2, 6, 15, 21
_FRA_SUPPRESS_PREFIXLEN = 14
_FR_ACT_TO_TBL = 1
_RULE_ATTRIBUTES = {
    _FRA_SRC,
    _FRA_PRIORITY,
    _FRA_TABLE,
    _FRA_PROTOCOL,
    _FRA_SUPPRESS_PREFIXLEN,
}

AF_OF = {4: AF_INET, 6: AF_INET6}
_BITS = {AF_INET: 32, AF_INET6: 128}

_CREATE = NLM_F_CREATE | NLM_F_EXCL
_REPLACE = NLM_F_CREATE | NLM_F_REPLACE

#: The few addresses that are named again and again. Not all of a dump: what is read
#: once is in `RowMemory` afterwards, and an entry here takes as much as a row.
_address = lru_cache(maxsize=256)(address_of_bytes)


def _network(packed: bytes, length: int) -> Network:
    if len(packed) == 4:
        return IPv4Network((packed, length))
    return IPv6Network((packed, length))


def put_request(row: PackedRow, ifindex: int) -> Request:
    """Ask for the row. A route or rule that is there already is refused (EEXIST).

    Why not replace at once: for routes the kernel looks at prefix and metric only,
    and would replace somebody else's.

    Args:
        row: The row.
        ifindex: Of its link; 0 for a rule.
    """
    match row:
        case Neighbour():
            return Request(Rtm.NEWNEIGH, _REPLACE, _neighbour_body(row, ifindex))
        case Fdb():
            return Request(Rtm.NEWNEIGH, _REPLACE, _fdb_body(row, ifindex))
        case Route():
            return Request(Rtm.NEWROUTE, _CREATE, _route_body(row, ifindex))
        case Rule():
            return Request(Rtm.NEWRULE, _CREATE, _rule_body(row))


def replace_request(row: Route, ifindex: int) -> Request:
    """Put a route over the one of ours with its prefix and metric."""
    return Request(Rtm.NEWROUTE, _REPLACE, _route_body(row, ifindex))


def delete_request(row: PackedRow, ifindex: int) -> Request:
    """Ask that exactly this row goes; the mark is part of what must match."""
    match row:
        case Neighbour():
            return Request(Rtm.DELNEIGH, 0, _neighbour_body(row, ifindex))
        case Fdb():
            return Request(Rtm.DELNEIGH, 0, _fdb_body(row, ifindex))
        case Route():
            return Request(Rtm.DELROUTE, 0, _route_body(row, ifindex))
        case Rule():
            return Request(Rtm.DELRULE, 0, _rule_body(row))


def _neighbour_body(row: Neighbour, ifindex: int) -> bytes:
    return (
        NEIGHBOUR_HEADER.pack(AF_OF[row.address.version], ifindex, _NUD_PERMANENT, 0, 0)
        + attribute(_NDA_DST, row.address.packed)
        + attribute(_NDA_LLADDR, mac_bytes(row.mac))
        + attribute_u8(_NDA_PROTOCOL, PROTOCOL)
    )


def _fdb_body(row: Fdb, ifindex: int) -> bytes:
    state = _NUD_NOARP | _NUD_PERMANENT
    # Without them the kernel takes the link's own, and tells neither in a dump.
    port = b"" if row.port is None else attribute(_NDA_PORT, BE16.pack(row.port))
    vni = b"" if row.vni is None else attribute_u32(_NDA_VNI, row.vni)
    return (
        NEIGHBOUR_HEADER.pack(AF_BRIDGE, ifindex, state, _NTF_SELF, 0)
        + attribute(_NDA_LLADDR, mac_bytes(row.mac))
        + attribute(_NDA_DST, row.agent.packed)
        + port
        + vni
    )


def _route_body(row: Route, ifindex: int) -> bytes:
    subnet = row.subnet
    short_table = row.table if row.table < 256 else 0
    header = ROUTE_HEADER.pack(
        AF_OF[subnet.version],
        subnet.prefixlen,
        0,
        0,
        short_table,
        PROTOCOL,
        _RT_SCOPE_UNIVERSE,
        _RTN_UNICAST,
        _RTNH_F_ONLINK,
    )
    return (
        header
        + attribute(_RTA_DST, subnet.network_address.packed)
        + attribute_u32(_RTA_TABLE, row.table)
        + attribute_u32(_RTA_PRIORITY, row.metric)
        + attribute(_RTA_GATEWAY, row.via.packed)
        + attribute_u32(_RTA_OIF, ifindex)
    )


def _rule_body(row: Rule) -> bytes:
    subnet = row.subnet
    short_table = row.table if row.table < 256 else 0
    header = RULE_HEADER.pack(
        AF_OF[subnet.version], 0, subnet.prefixlen, 0, short_table, _FR_ACT_TO_TBL, 0
    )
    return (
        header
        + attribute(_FRA_SRC, subnet.network_address.packed)
        + attribute_u32(_FRA_PRIORITY, row.priority)
        + attribute_u32(_FRA_TABLE, row.table)
        + attribute_u8(_FRA_PROTOCOL, PROTOCOL)
    )


def mac_bytes(mac: str) -> bytes:
    """Six bytes of `70:b3:d5:80:00:01`."""
    return bytes.fromhex(mac.replace(":", ""))


@lru_cache(maxsize=1 << 16)
def mac_text(mac: bytes) -> str:
    """The way rows write a MAC."""
    return mac.hex(":")


def read_neighbour(got: Message, links: Mapping[int, str]) -> Neighbour | Fdb | None:
    """The permanent neighbour or FDB row on one of our links, if it is one."""
    family, ifindex, state, flags, _ = NEIGHBOUR_HEADER.unpack_from(got.body)
    name = links.get(ifindex)
    if name is None or not state & _NUD_PERMANENT:
        return None
    told = attributes(got.body, NEIGHBOUR_HEADER.size)
    mac, to = told.get(_NDA_LLADDR), told.get(_NDA_DST)
    if mac is None or to is None or len(mac) != 6:
        return None
    if family != AF_BRIDGE:
        return unique(Neighbour(name, _address(to), mac_text(mac)))
    if not flags & _NTF_SELF or _NDA_IFINDEX in told:
        return None
    return unique(Fdb(name, mac_text(mac), _address(to), *vxlan_of(told)))


def vxlan_of(told: Mapping[int, bytes]) -> tuple[int | None, int | None]:
    """VNI and UDP port that an FDB row's attributes give, where not the link's own."""
    vni, port = told.get(_NDA_VNI), told.get(_NDA_PORT)
    return U32.unpack(vni)[0] if vni else None, BE16.unpack(port)[0] if port else None


def read_route(got: Message, name_of: Callable[[int], str | None]) -> Route | None:
    """The route with our protocol, one gateway and a device, if it is one.

    Args:
        got: An RTM_NEWROUTE.
        name_of: Name of a link by index, ours or not: the protocol is the mark.
    """
    family, length, _, _, table, protocol, _, kind, flags = ROUTE_HEADER.unpack_from(
        got.body
    )
    if protocol != PROTOCOL or kind != _RTN_UNICAST or flags & _RTM_F_CLONED:
        return None
    told = attributes(got.body, ROUTE_HEADER.size)
    via, device = told.get(_RTA_GATEWAY), told.get(_RTA_OIF)
    name = name_of(U32.unpack(device)[0]) if device else None
    if via is None or name is None or family not in _BITS:
        return None
    if _RTA_TABLE in told:
        table = U32.unpack(told[_RTA_TABLE])[0]
    metric = U32.unpack(told[_RTA_PRIORITY])[0] if _RTA_PRIORITY in told else 0
    start = told.get(_RTA_DST) or bytes(_BITS[family] // 8)
    subnet = _network(start, length)
    return unique(Route(name, subnet, _address(via), metric, table))


def read_rule(got: Message) -> Rule | None:
    """The rule with our protocol and exactly our form, if it is one."""
    family, to_length, length, _, table, action, flags = RULE_HEADER.unpack_from(
        got.body
    )
    told = attributes(got.body, RULE_HEADER.size)
    if told.get(_FRA_PROTOCOL) != bytes((PROTOCOL,)) or family not in _BITS:
        return None
    source, priority = told.get(_FRA_SRC), told.get(_FRA_PRIORITY)
    plain = _RULE_ATTRIBUTES.issuperset(told) and not to_length and not flags
    if not plain or action != _FR_ACT_TO_TBL or source is None or priority is None:
        return None
    if _FRA_TABLE in told:
        table = U32.unpack(told[_FRA_TABLE])[0]
    return Rule(_network(source, length), table, U32.unpack(priority)[0])
