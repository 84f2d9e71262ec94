"""Whether the host's firewall drops what it should pass on.

nftables is asked over netlink, which also shows what `iptables-nft` wrote. The older
iptables keeps its tables elsewhere; that it is in use is all that is looked at.

Source: linux/netfilter/nf_tables.h, nfnetlink.h.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from navstar.doctor.finding import Finding, Level
from navstar.doctor.host import Host, Needs
from navstar.netlink_codec import (
    NLM_F_DUMP,
    NLM_F_REQUEST,
    NLMSG_DONE,
    NLMSG_ERROR,
    attributes,
    message,
    messages,
    text,
)

_NETLINK_NETFILTER = 12
_NFT_GETCHAIN = 10 << 8 | 4
_FAMILY_HEADER = struct.Struct(">BBH")
_TABLE, _NAME, _HOOK, _POLICY = 1, 3, 4, 5
_HOOKNUM = 1
_FORWARD, _DROP = 2, 0
_FAMILIES = {1: ("inet", {4, 6}), 2: ("ip", {4}), 10: ("ip6", {6})}
_TIMEOUT = 5.0


@dataclass(frozen=True, slots=True)
class _Chain:
    family: int
    table: str
    name: str


def check_forward_policy(host: Host, needs: Needs) -> Iterator[Finding]:
    """No chain at the forward hook drops what no rule lets pass."""
    for chain in _dropping_chains():
        name, families = _FAMILIES.get(chain.family, ("?", set()))
        if not families & needs.families:
            continue
        accept = f"nft insert rule {name} {chain.table} {chain.name}"
        vteps = ", ".join(vtep.name for vtep in needs.vteps) or "vtep1024"
        yield Finding(
            "firewall",
            Level.WARNING,
            f"chain {name} {chain.table} {chain.name} has the policy drop",
            "packets between bridge and VTEP are dropped unless a rule accepts them",
            f"{accept} iifname {{ {vteps} }} accept; "
            f"{accept} oifname {{ {vteps} }} accept",
        )
    for family, table in ((4, "ip_tables_names"), (6, "ip6_tables_names")):
        names = (host.text(f"/proc/thread-self/net/{table}") or "").split()
        if "filter" in names and family in needs.families:
            command = "iptables" if family == 4 else "ip6tables"
            yield Finding(
                "firewall",
                Level.REMARK,
                f"the old {command} has a filter table, which is not looked into",
                "with 'Chain FORWARD (policy DROP)' packets of containers are dropped",
                f"{command}-legacy -S FORWARD shows it",
            )


def _dropping_chains() -> list[_Chain]:
    """Base chains at the forward hook whose policy is to drop."""
    try:
        answers = _dump(_NFT_GETCHAIN)
    except OSError:
        return []  # No nftables in this kernel: nothing drops by it.
    return [chain for body in answers if (chain := _dropping(body)) is not None]


def _dropping(body: bytes) -> _Chain | None:
    told = attributes(body, _FAMILY_HEADER.size)
    hook = attributes(told.get(_HOOK, b""), 0).get(_HOOKNUM)
    if hook is None or int.from_bytes(hook, "big") != _FORWARD:
        return None
    policy = told.get(_POLICY)
    if policy is None or int.from_bytes(policy, "big") != _DROP:
        return None
    return _Chain(body[0], text(told.get(_TABLE, b"")), text(told.get(_NAME, b"")))


def _dump(kind: int) -> list[bytes]:
    with socket.socket(
        socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_NETFILTER
    ) as netlink:
        netlink.settimeout(_TIMEOUT)
        netlink.bind((0, 0))
        body = _FAMILY_HEADER.pack(socket.AF_UNSPEC, 0, 0)
        netlink.send(message(kind, NLM_F_REQUEST | NLM_F_DUMP, 1, body))
        bodies: list[bytes] = []
        while True:
            for answer in messages(netlink.recv(1 << 16)):
                if answer.type in (NLMSG_ERROR, NLMSG_DONE):
                    return bodies
                bodies.append(answer.body)
