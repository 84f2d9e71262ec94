"""What nftables has, asked over netlink; also what `iptables-nft` wrote. Reads only.

Source: linux/netfilter/nf_tables.h, nfnetlink.h.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from navstar.netlink_codec import (
    ATTRIBUTE,
    NLM_F_DUMP,
    NLM_F_REQUEST,
    NLMSG_DONE,
    NLMSG_ERROR,
    attribute,
    attributes,
    message,
    messages,
    text,
)

_NETLINK_NETFILTER = 12
_GETCHAIN, _GETRULE, _GETSETELEM = (10 << 8 | kind for kind in (4, 7, 13))
_FAMILY_HEADER = struct.Struct(">BBH")
_CHAIN_TABLE, _CHAIN_NAME, _CHAIN_HOOK, _CHAIN_POLICY = 1, 3, 4, 5
_HOOKNUM = 1
_FORWARD, _DROP = 2, 0
_RULE_TABLE, _RULE_CHAIN, _RULE_EXPRESSIONS = 1, 2, 4
_EXPR_NAME, _EXPR_DATA = 1, 2
_META_REGISTER, _META_KEY = 1, 2
_IIFNAME, _OIFNAME = 6, 7
_CMP_REGISTER, _CMP_OP, _CMP_DATA = 1, 2, 3
_LOOKUP_SET, _LOOKUP_REGISTER = 1, 2
_ELEMENTS_TABLE, _ELEMENTS_SET, _ELEMENTS = 1, 2, 3
_ELEMENT_KEY, _VALUE = 1, 1
#: Bytes of a device name in a rule; fewer are its beginning, as of `vtep*`.
_NAME_BYTES = 16
_TIMEOUT = 5.0


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain: the number of its family, its table, its name."""

    family: int
    table: str
    name: str


@dataclass(frozen=True, slots=True)
class DeviceName:
    """A device that a rule names as where packets come from or leave by.

    Attributes:
        chain: Of the rule.
        name: As the rule has it; a `*` at the end stands for anything.
    """

    chain: Chain
    name: str

    def matches(self, device: str) -> bool:
        """Whether the rule means this device."""
        if self.name.endswith("*"):
            return device.startswith(self.name[:-1])
        return device == self.name


def dropping_chains() -> list[Chain]:
    """Base chains at the forward hook whose policy is to drop."""
    return [chain for body in _dump(_GETCHAIN) if (chain := _dropping(body))]


def device_names() -> list[DeviceName]:
    """The devices that rules name, of all chains."""
    return [name for body in _dump(_GETRULE) for name in _names_in_rule(body)]


def _dropping(body: bytes) -> Chain | None:
    told = attributes(body, _FAMILY_HEADER.size)
    hook = attributes(told.get(_CHAIN_HOOK, b""), 0).get(_HOOKNUM)
    if hook is None or int.from_bytes(hook, "big") != _FORWARD:
        return None
    policy = told.get(_CHAIN_POLICY)
    if policy is None or int.from_bytes(policy, "big") != _DROP:
        return None
    table, name = told.get(_CHAIN_TABLE, b""), told.get(_CHAIN_NAME, b"")
    return Chain(body[0], text(table), text(name))


def _names_in_rule(body: bytes) -> Iterator[DeviceName]:
    told = attributes(body, _FAMILY_HEADER.size)
    table, name = told.get(_RULE_TABLE, b""), told.get(_RULE_CHAIN, b"")
    chain = Chain(body[0], text(table), text(name))
    registers: set[bytes] = set()
    for expression in _listed(told.get(_RULE_EXPRESSIONS, b"")):
        parts = attributes(expression, 0)
        about = attributes(parts.get(_EXPR_DATA, b""), 0)
        match text(parts.get(_EXPR_NAME, b"")):
            case "meta":
                key = int.from_bytes(about.get(_META_KEY, b""), "big")
                register = about.get(_META_REGISTER, b"")
                registers.discard(register)
                if key in (_IIFNAME, _OIFNAME):
                    registers.add(register)
            case "cmp" if about.get(_CMP_REGISTER) in registers:
                value = attributes(about.get(_CMP_DATA, b""), 0).get(_VALUE, b"")
                yield DeviceName(chain, _name(value))
            case "lookup" if about.get(_LOOKUP_REGISTER) in registers:
                for value in _elements(chain, about.get(_LOOKUP_SET, b"")):
                    yield DeviceName(chain, _name(value))


def _name(value: bytes) -> str:
    return text(value) if len(value) >= _NAME_BYTES else f"{text(value)}*"


def _elements(chain: Chain, name: bytes) -> Iterator[bytes]:
    """The keys of a set; those of a rule's braces are one too."""
    about = attribute(_ELEMENTS_TABLE, chain.table.encode() + b"\0")
    about += attribute(_ELEMENTS_SET, name)
    for body in _dump(_GETSETELEM, family=chain.family, about=about):
        told = attributes(body, _FAMILY_HEADER.size)
        for element in _listed(told.get(_ELEMENTS, b"")):
            key = attributes(element, 0).get(_ELEMENT_KEY, b"")
            yield attributes(key, 0).get(_VALUE, b"")


def _listed(body: bytes) -> Iterator[bytes]:
    """The values of attributes that all have one type."""
    at = 0
    while at + ATTRIBUTE.size <= len(body):
        length, _ = ATTRIBUTE.unpack_from(body, at)
        if length < ATTRIBUTE.size:
            return
        yield body[at + ATTRIBUTE.size : at + length]
        at += (length + 3) & ~3


def _dump(
    kind: int, *, family: int = socket.AF_UNSPEC, about: bytes = b""
) -> list[bytes]:
    """What the kernel answers; nothing where it has no nftables."""
    try:
        return _asked(kind, _FAMILY_HEADER.pack(family, 0, 0) + about)
    except OSError:
        return []


def _asked(kind: int, body: bytes) -> list[bytes]:
    with socket.socket(
        socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_NETFILTER
    ) as netlink:
        netlink.settimeout(_TIMEOUT)
        netlink.bind((0, 0))
        netlink.send(message(kind, NLM_F_REQUEST | NLM_F_DUMP, 1, body))
        bodies: list[bytes] = []
        while True:
            for answer in messages(netlink.recv(1 << 16)):
                if answer.type in (NLMSG_ERROR, NLMSG_DONE):
                    return bodies
                bodies.append(answer.body)
