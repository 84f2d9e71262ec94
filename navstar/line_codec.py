"""A line as it stands in the table, and back. Pure.

The register holds one dict with short text and numbers, so that a line is one fact:

    {"mac": "70:b3:d5:80:00:03", "ip": "10.0.0.3", "subnet": "9.0.3.0/24",
     "vni": 1024, "port": 64000, "name": "a3", "mtu": 1450, "ip6": "fd00::3",
     "dual": 1}

A line that is written again carries in "since" the time of the first one that claimed
the same. It is believed only if it is before the register's own: a claim that comes
out of the future would be as young as its writer likes to have it, and win later.

Unknown fields are left alone: a later version may have more to say. Anybody in the
cluster can write anything into the table, so a line is believed only if every
field is in range and they go together; what is not is skipped alone, with a reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address, ip_interface, ip_network

from navstar.allocation import Interface, IpAddress, Network
from navstar.blocks import overlap, within
from navstar.checks import MAX_MTU, MIN_MTU, is_host, is_unicast_mac
from navstar.line import KEY_PREFIX, Line

#: Characters. A name is shown, in logs and tables; ours have 64 at most.
MAX_NAME = 255
#: Characters of what was read that a reason repeats.
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class BadLine:
    """Something under an overlay's key that is no line.

    Attributes:
        where: The place in the table, as text.
        reason: What is wrong with it.
    """

    where: str
    reason: str

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}"


class _Bad(ValueError):
    """A field is not usable; the text says which and why."""


def key_of(overlay: Network) -> tuple[str, str, str]:
    """The key of an overlay, one per family."""
    return (*KEY_PREFIX, str(overlay))


def value_of(line: Line) -> dict[str, str | int]:
    """What the line's register holds."""
    value: dict[str, str | int] = {
        "mac": line.mac,
        "ip": str(line.agent_ip),
        "subnet": str(line.subnet),
        "vni": line.vni,
        "port": line.port,
        "name": line.name,
    }
    if line.underlay4 is not None:
        value["ip4"] = str(line.underlay4)
    if line.underlay6 is not None:
        value["ip6"] = str(line.underlay6)
    if line.mtu is not None:
        value["mtu"] = line.mtu
    if line.dual:
        value["dual"] = 1
    if line.claimed_at:
        value["since"] = line.claimed_at
    return value


def line_untrusted(
    key: object, field: object, node: object, stamped: tuple[int, object]
) -> Line | BadLine:
    """Read one line.

    Args:
        key: Of the overlay.
        field: The VTEP address.
        node: Id of the writer.
        stamped: The register's timestamp and value.

    Returns:
        A line with every field in range, or why it is none. Whatever the arguments,
        nothing is raised.
    """
    try:
        return _line(key, field, node, stamped)
    except _Bad as bad:
        where = " ".join(_shown(part) for part in (key, field, node))
        return BadLine(where, str(bad))


def _line(
    key: object, field: object, node: object, stamped: tuple[int, object]
) -> Line:
    overlay = _overlay(key)
    vtep = _vtep(field, overlay)
    written_at, value = stamped
    if not isinstance(value, dict):
        raise _Bad(f"should be a map, not {_shown(value)}")
    subnet = _network("subnet", value.get("subnet"))
    if not within(subnet, overlay):
        raise _Bad(f"subnet: {subnet} is outside the overlay {overlay}")
    if overlap(vtep.network, overlay):
        raise _Bad(f"VTEP address: {vtep} is inside the overlay {overlay}")
    return Line(
        overlay=overlay,
        vtep=vtep,
        mac=_mac(value.get("mac")),
        agent_ip=_agent_ip("ip", value.get("ip")),
        subnet=subnet,
        vni=_number("vni", value.get("vni"), 1, 2**24 - 1),
        port=_number("port", value.get("port"), 1, 65_535),
        node=_node(node),
        name=_name(value.get("name")),
        underlay4=_underlay("ip4", value.get("ip4"), 4),
        underlay6=_underlay("ip6", value.get("ip6"), 6),
        mtu=_mtu(value.get("mtu"), overlay.version),
        dual=_dual(value.get("dual")),
        claimed_at=_claimed_at(value.get("since"), written_at),
    )


def _overlay(key: object) -> Network:
    match key:
        case (first, second, str(text)) if (first, second) == KEY_PREFIX:
            return _network("overlay", text)
        case _:
            raise _Bad("is not the key of an overlay")


def _vtep(field: object, overlay: Network) -> Interface:
    try:
        # An int would be taken for an address, and so would bytes.
        vtep = ip_interface(field) if isinstance(field, str) else None
    except ValueError:
        vtep = None
    if vtep is None or str(vtep) != field or vtep.version != overlay.version:
        family = f"IPv{overlay.version}"
        raise _Bad(f"{_shown(field)} is not an {family} address with its prefix")
    if not is_host(vtep):
        raise _Bad(f"VTEP address: {vtep} is not the address of one host")
    return vtep


def _network(field: str, text: object) -> Network:
    try:
        if isinstance(text, str) and "/" in text:
            network = ip_network(text)
            if str(network) == text:
                return network
    except ValueError:
        pass
    raise _Bad(f"{field}: {_shown(text)} is not a network in its usual form")


def _mac(value: object) -> str:
    if isinstance(value, str) and is_unicast_mac(value):
        return value
    raise _Bad(f"mac: {_shown(value)} is not a unicast MAC address")


def _agent_ip(field: str, value: object) -> IpAddress:
    try:
        address = ip_address(value) if isinstance(value, str) else None
    except ValueError:
        address = None
    if address is None:
        raise _Bad(f"{field}: {_shown(value)} is not an IP address")
    if address.is_multicast or address.is_unspecified or address.is_loopback:
        raise _Bad(f"{field}: {address} is not an address that packets go to")
    if address.version == 6 and "%" in str(address):
        raise _Bad(f"{field}: {_shown(value)} means something on one host only")
    return address


def _underlay(field: str, value: object, version: int) -> IpAddress | None:
    if value is None:
        return None
    address = _agent_ip(field, value)
    if address.version != version:
        raise _Bad(f"{field}: {address} is of the other family")
    return address


def _number(field: str, value: object, least: int, most: int) -> int:
    if type(value) is int and least <= value <= most:
        return value
    raise _Bad(f"{field}: {_shown(value)} is not in {least} to {most}")


def _claimed_at(since: object, written_at: int) -> int:
    if since is None:
        return written_at
    return min(_number("since", since, 1, 2**64 - 1), written_at)


def _mtu(value: object, version: int) -> int | None:
    if value is None:
        return None
    return _number("mtu", value, MIN_MTU[version], MAX_MTU)


def _dual(value: object) -> bool:
    return value is not None and _number("dual", value, 0, 1) == 1


def _node(value: object) -> str:
    if isinstance(value, str) and len(value) == 32:
        try:
            if bytes.fromhex(value).hex() == value:
                return value
        except ValueError:
            pass
    raise _Bad(f"{_shown(value)} is not the id of a node")


def _name(value: object) -> str:
    if isinstance(value, str) and 0 < len(value) <= MAX_NAME and value.isprintable():
        return value
    raise _Bad(f"name: {_shown(value)} is not a printable name")


def _shown(value: object) -> str:
    """The value as a reader may safely see it: escaped, and cut short."""
    text = ascii(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
