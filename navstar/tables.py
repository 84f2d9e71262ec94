"""The rows navstar keeps in the kernel, as plain values, and whose they are.

Ownership is a mark that the kernel keeps: a link is ours by its alias, routes,
rules and addresses by the protocol `PROTOCOL`, neighbours and FDB rows by the link
they are on. Rows of others never become values of these types, so `diff` cannot
touch them.

What hangs on what: addresses, neighbours, FDB rows and routes die with their link;
rules do not. `kernel_key` says what the kernel lets exist only once.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from ipaddress import IPv4Address, IPv6Address
from typing import Any, TypeAlias, TypeVar
from weakref import WeakValueDictionary

from navstar.allocation import Interface, IpAddress, Network

#: Marks our routes, rules, addresses and neighbours. rtnetlink(7) leaves values above
#: 4 to users; 78 is taken by nobody in iproute2's rt_protos.
PROTOCOL = 0x4E

#: Marks our links. Shown by `ip -details link`.
LINK_ALIAS = "navstar"

#: The kernel's ordinary routing table.
MAIN_TABLE = 254

#: Holds the host routes to the agents, for packets that come from an overlay.
OVERLAY_TABLE = 42

#: After the kernel's `local` (0), before `main` (32766). Fixed, because the default
#: differs between tools, and low enough to leave room on both sides.
RULE_PRIORITY = 32000


@dataclass(frozen=True, slots=True)
class Link:
    """The VXLAN device of one VTEP.

    Attributes:
        name: Device name.
        vni: VXLAN network identifier.
        port: UDP port, of both ends.
        local: This agent's address; its family is the only one the device carries.
        mac: Lower case, colon separated.
        mtu: Bytes.
        up: Administratively up. Desired links always are.
        learning: Learns MACs from what arrives. Desired links never do.
        loose: Its `rp_filter` is loose, because the way back may be by another link.
            Of links with the names below; of any other it is the host's own business.
    """

    name: str
    vni: int
    port: int
    local: IpAddress
    mac: str
    mtu: int
    up: bool = True
    learning: bool = False
    loose: bool = False

    @property
    def receives_only(self) -> bool:
        """It is there for packets of a VXLAN that this agent had before.

        No row leads out by it (see `navstar.succession`).
        """
        return self.name == former_name(self.vni, self.port, self.local.version)

    def __str__(self) -> str:
        learning = "learning" if self.learning else "nolearning"
        loose = " rp_filter 2" if self.loose else ""
        return (
            f"link {self.name} vxlan id {self.vni} dstport {self.port} "
            f"local {self.local} address {self.mac} mtu {self.mtu} {learning} "
            f"{'up' if self.up else 'down'}{loose}"
        )


def former_name(vni: int, port: int, version: int) -> str:
    """What a link is called that only receives; 15 bytes at most, as names are.

    Both underlay families may have the same numbers, so `version` counts too.
    """
    return f"{'v' if version == 4 else 'u'}{vni}-{port}"


def second_name(vni: int, port: int) -> str:
    """What the link of a VTEP on the other underlay family is called."""
    return f"w{vni}-{port}"


def is_loose(link: Link, name: str) -> bool:
    """Whether a link of that name, with these numbers, is to have `loose`."""
    return name in {
        former_name(link.vni, link.port, link.local.version),
        second_name(link.vni, link.port),
    }


@dataclass(frozen=True, slots=True)
class Addr:
    """The VTEP's own address, with the prefix of the VTEP network."""

    link: str
    address: Interface

    def __str__(self) -> str:
        return f"addr {self.address} dev {self.link}"


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Neighbour:
    """The remote VTEP address `address` answers at `mac`; no ARP leaves a VTEP."""

    link: str
    address: IpAddress
    mac: str

    def __str__(self) -> str:
        return f"neigh {self.address} lladdr {self.mac} dev {self.link} nud permanent"


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Fdb:
    """Frames for the remote VTEP's `mac` leave in a VXLAN packet to `agent`.

    Attributes:
        vni: With which number they leave, if that is not the link's own.
        port: To which UDP port, if that is not the link's own.
    """

    link: str
    mac: str
    agent: IpAddress
    vni: int | None = None
    port: int | None = None

    def __str__(self) -> str:
        port = "" if self.port is None else f" port {self.port}"
        vni = "" if self.vni is None else f" vni {self.vni}"
        return (
            f"fdb {self.mac} dev {self.link} dst {self.agent}{port}{vni} self permanent"
        )


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Route:
    """Packets for `subnet` go to the remote VTEP address `via`, on `link`.

    In the main table `subnet` is the block of a remote agent; in `OVERLAY_TABLE` it
    is the one address of that agent.

    Attributes:
        metric: Differs per agent (see `navstar.overlay.metric_of`). 1 and above.
    """

    link: str
    subnet: Network
    via: IpAddress
    metric: int
    table: int = MAIN_TABLE

    def __str__(self) -> str:
        table = "" if self.table == MAIN_TABLE else f" table {self.table}"
        return (
            f"route {self.subnet} via {self.via} dev {self.link}{table} "
            f"proto {PROTOCOL} metric {self.metric} onlink"
        )


@dataclass(frozen=True, slots=True)
class Rule:
    """Packets that come from the overlay `subnet` ask `table` before main."""

    subnet: Network
    table: int = OVERLAY_TABLE
    priority: int = RULE_PRIORITY

    def __str__(self) -> str:
        return f"rule {self.priority} from {self.subnet} lookup {self.table}"


Row: TypeAlias = Link | Addr | Neighbour | Fdb | Route | Rule


PeerRow: TypeAlias = Neighbour | Fdb | Route
_PeerRowT = TypeVar("_PeerRowT", bound=PeerRow)

_unique: WeakValueDictionary[PeerRow, Any] = WeakValueDictionary()


def unique(row: _PeerRowT) -> _PeerRowT:
    """The one object for this row, as long as somebody has it.

    Rows come by the thousand, from the lines and from the kernel. Where equal rows are
    one object, comparing two sets of them takes no look at their fields.
    """
    found: _PeerRowT = _unique.setdefault(row, row)
    return found


def kernel_key(row: Row) -> tuple[object, ...]:
    """What the kernel lets exist only once; a put of a row replaces its equal here.

    Networks count by address and length, so that keys are cheap to hash.
    """
    match row:
        case Link(name):
            return "link", name
        case Addr(link, address):
            # IPv4 lets one address stand twice with different prefixes, IPv6 does not.
            length = address.network.prefixlen if address.version == 4 else 128
            return "addr", link, int(address.ip), length, address.version
        case Neighbour(link, address):
            return "neigh", link, int(address), address.version
        case Fdb(link, mac):
            return "fdb", link, mac
        case Route(_, subnet, _, metric, table):
            return (
                "route",
                table,
                int(subnet.network_address),
                subnet.prefixlen,
                subnet.version,
                metric,
            )
        case Rule(subnet, table, priority):
            return "rule", subnet, table, priority


def link_of(row: Row) -> str | None:
    """The link that the row is, or dies with; None for a rule."""
    match row:
        case Link(name):
            return name
        case Addr() | Neighbour() | Fdb() | Route():
            return row.link
        case Rule():
            return None


def family_of(row: Row) -> int | None:
    """4 or 6: the overlay's family; None for what serves both (link, FDB row)."""
    match row:
        case Link() | Fdb():
            return None
        case Addr() | Neighbour():
            return row.address.version
        case Route() | Rule():
            return row.subnet.version


#: What a field is called in JSON where it has another name there: `agent` is, next to
#: a row, the name of the agent that the row leads to.
_JSON_NAMES = {"agent": "destination"}


def row_json(row: Row) -> dict[str, str | int | bool]:
    """The row for `--json`: its kind and its fields, addresses as text."""
    shown: dict[str, str | int | bool] = {"kind": type(row).__name__.lower()}
    for field in fields(row):
        value = getattr(row, field.name)
        if value is None:
            continue
        name = _JSON_NAMES.get(field.name, field.name)
        shown[name] = value if isinstance(value, str | int) else str(value)
    return shown


def is_unicast_mac(mac: str) -> bool:
    """Whether `mac` is six lower case octets, neither multicast nor all zero."""
    try:
        octets = bytes.fromhex(mac.replace(":", ""))
    except ValueError:
        return False
    if mac != octets.hex(":") or len(octets) != 6:
        return False
    return not octets[0] & 1 and any(octets)


def address_of_bytes(packed: bytes) -> IpAddress:
    """The address in network byte order: 4 bytes or 16.

    Raises:
        ValueError: It is neither.
    """
    match len(packed):
        case 4:
            return IPv4Address(packed)
        case 16:
            return IPv6Address(packed)
        case length:
            raise ValueError(f"an address of {length} bytes")
