"""Whether an allocation can be laid into a host at all. Pure.

The rules are those of the DC/OS master module (names, no overlapping address
spaces) and those that it leaves out and that break a host: a block outside its
overlay, one device wanted in two forms, a MAC that is no unicast address.

A finding names the later of two overlays that do not go together, so that a
source that can do without it drops the newcomer and keeps what was there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import TypeAlias

from navstar.allocation import Interface, Network, Overlay, Vtep
from navstar.blocks import overlap, within
from navstar.errors import Problem

#: DC/OS names the bridges m-NAME and d-NAME, and a device name has 15 bytes.
MAX_OVERLAY_NAME = 13
#: Docker's and Mesos' own networks.
RESERVED_NAMES = frozenset({"host", "bridge", "default", "none"})
#: Below these the kernel takes the family off the device (RFC 791, RFC 8200 5).
MIN_MTU = {4: 576, 6: 1280}
MAX_MTU = 65_535

_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}", re.ASCII)
#: net/core/dev.c, dev_valid_name: no slash, no colon, no space.
_DEVICE = re.compile(r"[^\s/:\0]{1,15}")
#: Links beside a VTEP: those it had before, and that of the other underlay family.
_OWN_LINK = re.compile(r"[uvw]\d+-\d+")

_Found: TypeAlias = Iterator[Problem]


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem of one overlay. The field is a path inside of it."""

    overlay: int
    problem: Problem


def check_allocation(overlays: Sequence[Overlay]) -> tuple[Finding, ...]:
    """Find everything that is wrong with the overlays, each and together.

    Returns:
        In the order of the overlays; empty if they can be used as they are.
    """
    found: list[Finding] = []
    for number, overlay in enumerate(overlays):
        problems = [*_alone(overlay)]
        for other in overlays[:number]:
            problems += _together(overlay, other)
        found += (Finding(number, problem) for problem in problems)
    return tuple(found)


def _alone(overlay: Overlay) -> _Found:
    yield from _name(overlay.name)
    yield from _family(overlay.subnet, overlay.block, overlay.vtep.address, suffix="")
    yield from _family(
        overlay.subnet6, overlay.block6, overlay.vtep.address6, suffix="6"
    )
    if overlay.subnet is None and overlay.subnet6 is None:
        yield Problem("subnet", "is missing, and subnet6 as well")
    yield from _vtep(overlay.vtep)
    yield from _bridges(overlay)
    for vtep in _vtep_networks(overlay):
        for subnet in _subnets(overlay):
            if overlap(vtep, subnet):
                yield Problem("vtep.address", f"{vtep} overlaps the subnet {subnet}")


def _name(name: str) -> _Found:
    if name in RESERVED_NAMES:
        yield Problem("name", f"{name!r} is reserved for the container engine")
    if not 1 <= len(name.encode()) <= MAX_OVERLAY_NAME:
        yield Problem("name", f"{name!r} should have 1 to {MAX_OVERLAY_NAME} bytes")


def _family(
    subnet: Network | None,
    block: Network | None,
    address: Interface | None,
    *,
    suffix: str,
) -> _Found:
    """A block needs its overlay around it, and an address that traffic leaves by."""
    if block is None:
        return
    if subnet is None:
        yield Problem(f"subnet{suffix}", f"is missing, but block{suffix} is {block}")
    elif not within(block, subnet):
        yield Problem(f"block{suffix}", f"{block} is outside the overlay {subnet}")
    if address is None:
        field = f"vtep.address{suffix}"
        yield Problem(field, f"is missing, but block{suffix} is {block}")


def _bridges(overlay: Overlay) -> _Found:
    for name in overlay.bridges:
        if not is_device_name(name):
            yield Problem("bridges", f"{name!r} cannot be the name of a device")
        if name == overlay.vtep.name:
            yield Problem("bridges", f"{name!r} is the VTEP")


def _vtep(vtep: Vtep) -> _Found:
    if not is_device_name(vtep.name):
        yield Problem("vtep.name", f"{vtep.name!r} cannot be the name of a device")
    if _OWN_LINK.fullmatch(vtep.name):
        yield Problem(
            "vtep.name", f"{vtep.name!r} is what navstar calls links of its own"
        )
    if not 1 <= vtep.vni < 2**24:
        yield Problem("vtep.vni", f"{vtep.vni} is not in 1 to {2**24 - 1}")
    if not 1 <= vtep.port <= 65_535:
        yield Problem("vtep.port", f"{vtep.port} is not in 1 to 65535")
    if not is_unicast_mac(vtep.mac):
        yield Problem("vtep.mac", f"{vtep.mac!r} is not a unicast MAC address")
    yield from _address("vtep.address", vtep.address)
    yield from _address("vtep.address6", vtep.address6)
    yield from _mtu(vtep)


def _address(field: str, address: Interface | None) -> _Found:
    if address is not None and not is_host(address):
        yield Problem(field, f"{address} is not the address of one host")


def _mtu(vtep: Vtep) -> _Found:
    if vtep.mtu is None:
        return
    least = MIN_MTU[4 if vtep.address6 is None else 6]
    if not least <= vtep.mtu <= MAX_MTU:
        yield Problem("vtep.mtu", f"{vtep.mtu} is not in {least} to {MAX_MTU} bytes")


def _together(overlay: Overlay, other: Overlay) -> _Found:
    if overlay.name == other.name:
        yield Problem("name", f"{overlay.name!r} is used twice")
    for mine in _subnets(overlay):
        for theirs in _subnets(other):
            if overlap(mine, theirs):
                field = f"subnet{'' if mine.version == 4 else 6}"
                text = f"{mine} overlaps {theirs} of overlay {other.name!r}"
                yield Problem(field, text)
    if overlay.vtep.name == other.vtep.name:
        yield from _one_vtep(overlay.vtep, other)
    else:
        yield from _two_vteps(overlay, other)


def _one_vtep(vtep: Vtep, other: Overlay) -> _Found:
    for name in (field.name for field in fields(Vtep)):
        mine, theirs = getattr(vtep, name), getattr(other.vtep, name)
        if mine != theirs:
            where = f"for the same VTEP in overlay {other.name!r}"
            yield Problem(f"vtep.{name}", f"{mine} differs from {theirs} {where}")


def _two_vteps(overlay: Overlay, other: Overlay) -> _Found:
    mine, theirs = overlay.vtep, other.vtep
    if (mine.vni, mine.port) == (theirs.vni, theirs.port):
        # The kernel answers EEXIST: it could not tell their packets apart.
        text = f"{mine.vni} with port {mine.port} is {theirs.name!r} already"
        yield Problem("vtep.vni", text)
    for network in _vtep_networks(overlay):
        for used in _vtep_networks(other):
            if overlap(network, used):
                text = f"{network} overlaps {used} of {theirs.name!r}"
                yield Problem("vtep.address", text)


def is_device_name(name: str) -> bool:
    """Tell whether the kernel takes this for the name of a device."""
    is_short = _DEVICE.fullmatch(name) is not None and len(name.encode()) <= 15
    return is_short and name not in {".", ".."}


def is_unicast_mac(mac: str) -> bool:
    """Tell whether this is a lower-case MAC address of one station."""
    return (
        _MAC.fullmatch(mac) is not None
        and not int(mac[:2], 16) & 1
        and mac != "00:00:00:00:00:00"
    )


def is_host(address: Interface) -> bool:
    """Tell whether this is an address that one host of the network can have."""
    ip, network = address.ip, address.network
    if ip.is_multicast or ip.is_loopback or ip.is_unspecified:
        return False
    if network.num_addresses <= 2:
        return True
    # IPv6 has no broadcast address, but its first one is everybody's: the
    # subnet-router anycast address, RFC 4291 2.6.1.
    last = network.broadcast_address if network.version == 4 else None
    return ip not in (network.network_address, last)


def _subnets(overlay: Overlay) -> list[Network]:
    return [net for net in (overlay.subnet, overlay.subnet6) if net is not None]


def _vtep_networks(overlay: Overlay) -> list[Network]:
    vtep = overlay.vtep
    return [a.network for a in (vtep.address, vtep.address6) if a is not None]
