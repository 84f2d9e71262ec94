"""Addresses of links as netlink requests, and back. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Interface, IPv6Interface

from navstar.allocation import Interface, IpAddress
from navstar.netlink_codec import (
    ADDR_HEADER,
    AF_INET,
    AF_INET6,
    NLM_F_CREATE,
    NLM_F_REPLACE,
    ROUTE_HEADER,
    U32,
    Message,
    Request,
    Rtm,
    attribute,
    attribute_u8,
    attribute_u32,
    attributes,
)
from navstar.netlink_rows import AF_OF
from navstar.tables import PROTOCOL, Addr, address_of_bytes

_IFA_ADDRESS, _IFA_LOCAL, _IFA_FLAGS, _IFA_PROTO = 1, 2, 8, 11
_IFA_F_NODAD, _IFA_F_DADFAILED = 0x02, 0x08
_RT_SCOPE_LINK = 253
_RTA_DST, _RTA_PREFSRC = 1, 7


def put_addr_request(row: Addr, ifindex: int) -> Request:
    """Ask for the address, marked; one that is there becomes ours."""
    flags = NLM_F_CREATE | NLM_F_REPLACE
    return Request(Rtm.NEWADDR, flags, _addr_body(row, ifindex))


def delete_addr_request(row: Addr, ifindex: int) -> Request:
    """Ask that the address goes."""
    return Request(Rtm.DELADDR, 0, _addr_body(row, ifindex))


def _addr_body(row: Addr, ifindex: int) -> bytes:
    packed = row.address.ip.packed
    version, length = row.address.version, row.address.network.prefixlen
    # Without NODAD a v6 address is unusable for a second, and nobody could answer.
    flags = _IFA_F_NODAD if version == 6 else 0
    return (
        ADDR_HEADER.pack(AF_OF[version], length, flags, 0, ifindex)
        + attribute(_IFA_LOCAL, packed)
        + attribute(_IFA_ADDRESS, packed)
        + attribute_u32(_IFA_FLAGS, flags)
        + attribute_u8(_IFA_PROTO, PROTOCOL)
    )


def read_addr(got: Message, links: Mapping[int, str], *, marked: bool) -> Addr | None:
    """The address of ours that a message tells of, if it does.

    Args:
        got: An RTM_NEWADDR.
        links: Names of the links that are ours, by index.
        marked: Whether this kernel keeps the protocol of addresses (5.18 and newer).
            On older ones every address on our links, but link-local ones, is ours.
    """
    family, length, _, scope, ifindex = ADDR_HEADER.unpack_from(got.body)
    name = links.get(ifindex)
    if name is None or family not in (AF_INET, AF_INET6):
        return None
    told = attributes(got.body, ADDR_HEADER.size)
    flags = U32.unpack(told[_IFA_FLAGS])[0] if _IFA_FLAGS in told else 0
    packed = told.get(_IFA_LOCAL) or told.get(_IFA_ADDRESS)
    ours = (
        told.get(_IFA_PROTO) == bytes((PROTOCOL,))
        if marked
        else scope != _RT_SCOPE_LINK
    )
    if packed is None or not ours or flags & _IFA_F_DADFAILED:
        return None
    if family == AF_INET:
        return Addr(name, IPv4Interface((packed, length)))
    return Addr(name, IPv6Interface((packed, length)))


def read_any_address(got: Message) -> tuple[IpAddress, int] | None:
    """Any address of the host, and the index of its link."""
    family, _, _, _, ifindex = ADDR_HEADER.unpack_from(got.body)
    told = attributes(got.body, ADDR_HEADER.size)
    packed = told.get(_IFA_LOCAL) or told.get(_IFA_ADDRESS)
    if packed is None or family not in (AF_INET, AF_INET6):
        return None
    return address_of_bytes(packed), ifindex


def read_interface(got: Message, index: int) -> Interface | None:
    """The address with its prefix, if it is on that link, whosever it is."""
    family, length, _, _, ifindex = ADDR_HEADER.unpack_from(got.body)
    known = read_any_address(got)
    if known is None or ifindex != index:
        return None
    if family == AF_INET:
        return IPv4Interface((known[0].packed, length))
    return IPv6Interface((known[0].packed, length))


def local_address_request(toward: IpAddress) -> Request:
    """Ask which way a packet to `toward` would leave."""
    header = ROUTE_HEADER.pack(
        AF_OF[toward.version], toward.max_prefixlen, 0, 0, 0, 0, 0, 0, 0
    )
    return Request(Rtm.GETROUTE, 0, header + attribute(_RTA_DST, toward.packed))


def read_local_address(got: Message) -> IpAddress | None:
    """From which address the packet would leave."""
    packed = attributes(got.body, ROUTE_HEADER.size).get(_RTA_PREFSRC)
    return address_of_bytes(packed) if packed else None
