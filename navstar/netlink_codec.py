"""Netlink messages as bytes: headers, attributes, and the numbers of rtnetlink.

Only what navstar's rows need. Everything is in host byte order except addresses,
MACs and the VXLAN port. What is read here comes from the kernel, not from the
network.

Source: linux/netlink.h, rtnetlink.h, neighbour.h, fib_rules.h, if_link.h, if_addr.h.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

AF_UNSPEC, AF_INET, AF_BRIDGE, AF_INET6 = 0, 2, 7, 10

NLMSG_ERROR, NLMSG_DONE = 2, 3

NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP = 0x01, 0x04, 0x300
NLM_F_REPLACE, NLM_F_EXCL, NLM_F_CREATE = 0x100, 0x200, 0x400
#: In an answer: the table changed while it was dumped.
NLM_F_DUMP_INTR = 0x10
#: In an error: the request is not echoed; attributes follow.
NLM_F_CAPPED, NLM_F_ACK_TLVS = 0x100, 0x200
NLMSGERR_ATTR_MSG = 1


class Rtm(IntEnum):
    """Message types; names as in rtnetlink(7)."""

    NEWLINK = 16
    DELLINK = 17
    GETLINK = 18
    NEWADDR = 20
    DELADDR = 21
    GETADDR = 22
    NEWROUTE = 24
    DELROUTE = 25
    GETROUTE = 26
    NEWNEIGH = 28
    DELNEIGH = 29
    GETNEIGH = 30
    NEWRULE = 32
    DELRULE = 33
    GETRULE = 34


HEADER = struct.Struct("=IHHII")
#: ifinfomsg: family, device type, index, flags, which flags change.
LINK_HEADER = struct.Struct("=BxHiII")
#: ifaddrmsg: family, prefix length, flags, scope, link index.
ADDR_HEADER = struct.Struct("=BBBBI")
#: ndmsg: family, link index, state, flags, type.
NEIGHBOUR_HEADER = struct.Struct("=BxxxiHBB")
#: rtmsg: family, dst length, src length, tos, table, protocol, scope, type, flags.
ROUTE_HEADER = struct.Struct("=BBBBBBBBI")
#: fib_rule_hdr: family, dst length, src length, tos, table, action, flags.
RULE_HEADER = struct.Struct("=BBBBBxxBI")

U32 = struct.Struct("=I")
S32 = struct.Struct("=i")
BE16 = struct.Struct(">H")
#: Of every attribute: its length with this header, and its type.
ATTRIBUTE = struct.Struct("=HH")

#: The two top bits of an attribute's type are flags (nested, network order).
_TYPE_MASK = 0x3FFF


class Message(NamedTuple):
    """One message as it came: header fields, and the body behind the header."""

    type: int
    flags: int
    sequence: int
    port: int
    body: bytes


class Request(NamedTuple):
    """What to ask: message type, flags beyond REQUEST, body."""

    type: int
    flags: int
    body: bytes


def message(kind: int, flags: int, sequence: int, body: bytes) -> bytes:
    """One request, padded, so that requests can stand one behind the other."""
    header = HEADER.pack(HEADER.size + len(body), kind, flags, sequence, 0)
    return header + body + bytes(-len(body) % 4)


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, padded."""
    return ATTRIBUTE.pack(4 + len(value), kind) + value + bytes(-len(value) % 4)


def attribute_u32(kind: int, value: int) -> bytes:
    """One attribute of four bytes in host order."""
    return ATTRIBUTE.pack(8, kind) + U32.pack(value)


def attribute_u8(kind: int, value: int) -> bytes:
    """One attribute of one byte."""
    return ATTRIBUTE.pack(5, kind) + bytes((value, 0, 0, 0))


def messages(data: bytes) -> Iterator[Message]:
    """Take apart what one receive gave."""
    at, end = 0, len(data)
    while at + HEADER.size <= end:
        length, kind, flags, sequence, port = HEADER.unpack_from(data, at)
        if length < HEADER.size or at + length > end:
            return
        body = data[at + HEADER.size : at + length]
        yield Message(kind, flags, sequence, port, body)
        at += (length + 3) & ~3


def attributes(body: bytes, start: int) -> dict[int, bytes]:
    """The attributes behind a message's fixed part; the last of a kind counts."""
    found: dict[int, bytes] = {}
    at, end, unpack = start, len(body), ATTRIBUTE.unpack_from
    while at + 4 <= end:
        length, kind = unpack(body, at)
        if length < 4 or at + length > end:
            break
        found[kind & _TYPE_MASK] = body[at + 4 : at + length]
        at += (length + 3) & ~3
    return found


def text(value: bytes) -> str:
    """A name: up to its terminating zero."""
    return value.split(b"\0", 1)[0].decode("utf-8", "replace")


def error_of(answer: Message) -> tuple[int, str]:
    """The errno of an NLMSG_ERROR (0 is an ack) and the kernel's own words, if any."""
    number = -S32.unpack_from(answer.body)[0]
    if not answer.flags & NLM_F_ACK_TLVS:
        return number, ""
    echoed = HEADER.size
    if not answer.flags & NLM_F_CAPPED:
        echoed = (U32.unpack_from(answer.body, 4)[0] + 3) & ~3
    told = attributes(answer.body, 4 + echoed).get(NLMSGERR_ATTR_MSG)
    return number, text(told) if told else ""
