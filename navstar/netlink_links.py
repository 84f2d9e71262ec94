"""VXLAN devices as netlink requests, and back. Pure.

A link is made by two messages in one send: create, then mark and raise. The kernel
takes no alias in the create message, and an unmarked link with our name would be a
stranger for ever; but it works through a whole send before it returns, so a crash
cannot fall between. The new link's index is chosen here: the second message names
the link by it, so that it can never mark somebody else's link of the same name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from navstar.netlink_codec import (
    AF_INET,
    AF_UNSPEC,
    BE16,
    LINK_HEADER,
    NLM_F_CREATE,
    NLM_F_EXCL,
    U32,
    Message,
    Request,
    Rtm,
    attribute,
    attribute_u8,
    attribute_u32,
    attributes,
    text,
)
from navstar.netlink_rows import mac_bytes, mac_text
from navstar.tables import LINK_ALIAS, Link, address_of_bytes, is_loose

_IFF_UP = 1
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU = 1, 3, 4
_IFLA_LINKINFO, _IFLA_IFALIAS = 18, 20
_IFLA_AF_SPEC, _IFLA_INET_CONF, _RP_FILTER = 26, 1, 8
_IFLA_EXT_MASK, _RTEXT_FILTER_SKIP_STATS = 29, 8
_INFO_KIND, _INFO_DATA = 1, 2
_VXLAN_ID, _VXLAN_LOCAL, _VXLAN_LEARNING = 1, 4, 7
_VXLAN_PORT, _VXLAN_LOCAL6 = 15, 17

#: `rp_filter`: packets pass whose source is reachable by whatever link.
LOOSE = 2


class FoundLink(NamedTuple):
    """A link of the host.

    Attributes:
        number: What the kernel calls its index.
        name: Its name.
        mtu: Bytes.
        alias: Its mark, possibly empty.
        link: What it is, if it is a VXLAN device of the form that navstar makes.
    """

    number: int
    name: str
    mtu: int
    alias: str
    link: Link | None

    @property
    def is_ours(self) -> bool:
        """Whether navstar made it."""
        return self.alias == LINK_ALIAS and self.link is not None


def dump_vxlan_body() -> bytes:
    """Ask for all VXLAN devices; the kernel leaves out the thousand veths."""
    kind = attribute(_IFLA_LINKINFO, attribute(_INFO_KIND, b"vxlan"))
    return _header(0) + kind + attribute_u32(_IFLA_EXT_MASK, _RTEXT_FILTER_SKIP_STATS)


def get_by_name_body(name: str) -> bytes:
    """Ask for one link by name."""
    return _header(0) + attribute(_IFLA_IFNAME, name.encode() + b"\0")


def get_by_index_body(index: int) -> bytes:
    """Ask for one link by index."""
    return _header(index)


def create_requests(link: Link, index: int) -> tuple[Request, Request]:
    """Make the link, then mark it and set it up. Send them in one go."""
    data = (
        attribute_u32(_VXLAN_ID, link.vni)
        + attribute(_VXLAN_PORT, BE16.pack(link.port))
        + _local_and_learning(link)
    )
    create = (
        _header(index)
        + attribute(_IFLA_IFNAME, link.name.encode() + b"\0")
        + attribute(_IFLA_ADDRESS, mac_bytes(link.mac))
        + attribute_u32(_IFLA_MTU, link.mtu)
        + _link_info(data)
    )
    alias = attribute(_IFLA_IFALIAS, LINK_ALIAS.encode())
    up = _IFF_UP if link.up else 0
    raise_it = LINK_HEADER.pack(AF_UNSPEC, 0, index, up, _IFF_UP) + alias
    if link.loose:
        raise_it += _rp_filter(LOOSE)
    return (
        Request(Rtm.NEWLINK, NLM_F_CREATE | NLM_F_EXCL, create),
        Request(Rtm.NEWLINK, 0, raise_it),
    )


def change_requests(found: FoundLink, link: Link) -> tuple[Request, ...]:
    """Turn a link of ours into `link` in place; what already fits is not touched.

    The MAC above all: setting even the same one flushes all neighbours.
    """
    old, index = found.link, found.number
    requests = []
    if old is None or (old.local, old.learning) != (link.local, link.learning):
        data = attribute_u32(_VXLAN_ID, link.vni) + _local_and_learning(link)
        requests.append(Request(Rtm.NEWLINK, 0, _header(index) + _link_info(data)))
    body = b""
    if old is None or old.mac != link.mac:
        body += attribute(_IFLA_ADDRESS, mac_bytes(link.mac))
    if old is None or old.mtu != link.mtu:
        body += attribute_u32(_IFLA_MTU, link.mtu)
    if link.loose and (old is None or not old.loose):
        body += _rp_filter(LOOSE)
    wanted = _IFF_UP if link.up else 0
    if body or old is None or old.up != link.up:
        header = LINK_HEADER.pack(AF_UNSPEC, 0, index, wanted, _IFF_UP)
        requests.append(Request(Rtm.NEWLINK, 0, header + body))
    return tuple(requests)


def rename_request(index: int, name: str, *, rp_filter: int) -> Request:
    """Give a link another name, and its `rp_filter` with it.

    All that is on it stays, and so does its index. Before kernel 6.2 a link that is
    up keeps its name (EBUSY).
    """
    body = attribute(_IFLA_IFNAME, name.encode() + b"\0") + _rp_filter(rp_filter)
    return Request(Rtm.NEWLINK, 0, _header(index) + body)


def delete_request(index: int) -> Request:
    """Remove the link with this index, and all that is on it."""
    return Request(Rtm.DELLINK, 0, _header(index))


def read_link(got: Message) -> FoundLink:
    """What an RTM_NEWLINK tells of a link."""
    _, _, index, flags, _ = LINK_HEADER.unpack_from(got.body)
    told = attributes(got.body, LINK_HEADER.size)
    name = text(told.get(_IFLA_IFNAME, b""))
    mtu = U32.unpack(told[_IFLA_MTU])[0] if _IFLA_MTU in told else 0
    info = attributes(told.get(_IFLA_LINKINFO, b""), 0)
    data = attributes(info.get(_INFO_DATA, b""), 0)
    local = data.get(_VXLAN_LOCAL) or data.get(_VXLAN_LOCAL6)
    link = None
    if text(info.get(_INFO_KIND, b"")) == "vxlan" and local and _VXLAN_PORT in data:
        link = Link(
            name=name,
            vni=U32.unpack(data[_VXLAN_ID])[0],
            port=BE16.unpack(data[_VXLAN_PORT])[0],
            local=address_of_bytes(local),
            mac=mac_text(told.get(_IFLA_ADDRESS, b"")),
            mtu=mtu,
            up=bool(flags & _IFF_UP),
            learning=data.get(_VXLAN_LEARNING) == b"\x01",
        )
        if is_loose(link, name) and _rp_filter_of(told) == LOOSE:
            link = replace(link, loose=True)
    return FoundLink(index, name, mtu, text(told.get(_IFLA_IFALIAS, b"")), link)


def _rp_filter(value: int) -> bytes:
    conf = attribute(_IFLA_INET_CONF, attribute_u32(_RP_FILTER, value))
    return attribute(_IFLA_AF_SPEC, attribute(AF_INET, conf))


def _rp_filter_of(told: Mapping[int, bytes]) -> int | None:
    """Of a link; the kernel tells all of a link's IPv4 settings in one array."""
    families = attributes(told.get(_IFLA_AF_SPEC, b""), 0)
    settings = attributes(families.get(AF_INET, b""), 0).get(_IFLA_INET_CONF, b"")
    at = (_RP_FILTER - 1) * U32.size
    if len(settings) < at + U32.size:
        return None
    return int(U32.unpack_from(settings, at)[0])


def _header(index: int) -> bytes:
    return LINK_HEADER.pack(AF_UNSPEC, 0, index, 0, 0)


def _link_info(data: bytes) -> bytes:
    kind = attribute(_INFO_KIND, b"vxlan")
    return attribute(_IFLA_LINKINFO, kind + attribute(_INFO_DATA, data))


def _local_and_learning(link: Link) -> bytes:
    local = _VXLAN_LOCAL if link.local.version == 4 else _VXLAN_LOCAL6
    return attribute(local, link.local.packed) + attribute_u8(
        _VXLAN_LEARNING, int(link.learning)
    )
