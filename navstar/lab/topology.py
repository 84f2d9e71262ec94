"""Who is in a lab and how everything is called and numbered. Pure.

Names and numbers are predictable, so that anybody can look inside:

    namespace        what                      links in it
    nslab-fabric     the underlay's switch     br0, and a port a1, a2 ... per agent
    nslab-a1         agent 1                   eth0 (underlay), br0, c1 ... (containers)
    nslab-c1-1       agent 1's container 1     eth0

`nslab` is the prefix; a lab with another prefix stands beside it. Links live in
namespaces of the lab only, never in the host's own, so their names need no prefix.

    underlay of agent N      10.0.0.N/24        fd00::N/64
    block of agent N         9.0.N.0/24         fd01:b:0:0:N::/80    (bridge: .1, ::1)
    container C of agent N   9.0.N.(C+1)        fd01:b:0:0:N::(C+1)
    VTEP of agent N          44.128.0.N/20      fd01:a::N/64         70:b3:d5:80:00:NN

N is in hexadecimal in IPv6 addresses and the MAC. The numbers are those of DC/OS.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import (
    IPv4Interface,
    IPv4Network,
    IPv6Interface,
    IPv6Network,
    ip_interface,
)

from navstar.allocation import IpAddress, Overlay, Vtep
from navstar.lab.errors import LabError

DEFAULT_PREFIX = "nslab"
#: One byte numbers an agent in its MAC; one more than asked for joins in the demo.
MOST_AGENTS = 200
#: A block is a /24, less its network, bridge and broadcast addresses.
MOST_CONTAINERS = 100

#: Underlay: the Ethernet default. VXLAN over IPv4 costs 50 bytes of it.
UNDERLAY_MTU = 1500
OVERLAY_MTU = 1450
LASHUP_PORT = 7947

BRIDGE = "br0"
UPLINK = "eth0"

OVERLAY_SUBNET = IPv4Network("9.0.0.0/8")
OVERLAY_SUBNET6 = IPv6Network("fd01:b::/64")
VTEP_NAME = "vtep1024"
VNI = 1024

_PREFIX = re.compile(r"[a-z][a-z0-9-]{0,30}")


@dataclass(frozen=True, slots=True)
class Container:
    """One network namespace behind an agent's bridge."""

    namespace: str
    agent: int
    number: int

    @property
    def name(self) -> str:
        """Short name for tables, without the prefix: `c1-2`."""
        return f"c{self.agent}-{self.number}"

    @property
    def port(self) -> str:
        """The agent's end of the veth."""
        return f"c{self.number}"

    @property
    def address(self) -> IPv4Interface:
        """Its own IPv4 address in the agent's block."""
        return IPv4Interface(f"9.0.{self.agent}.{self.number + 1}/24")

    @property
    def address6(self) -> IPv6Interface:
        """Its own IPv6 address in the agent's block."""
        return IPv6Interface(f"fd01:b:0:0:{self.agent:x}::{self.number + 1:x}/80")


@dataclass(frozen=True, slots=True)
class Agent:
    """One host: a network namespace with an uplink, a bridge and containers."""

    namespace: str
    number: int
    containers: tuple[Container, ...]

    @property
    def name(self) -> str:
        """Short name, also its lashup name: `a1`."""
        return f"a{self.number}"

    @property
    def underlay(self) -> IPv4Interface:
        """Where VXLAN and lashup packets to it go."""
        return IPv4Interface(f"10.0.0.{self.number}/24")

    @property
    def underlay6(self) -> IPv6Interface:
        """Its IPv6 address on the fabric."""
        return IPv6Interface(f"fd00::{self.number:x}/64")

    @property
    def gateway(self) -> IPv4Interface:
        """Address of its bridge: the containers' default route."""
        return IPv4Interface(f"9.0.{self.number}.1/24")

    @property
    def gateway6(self) -> IPv6Interface:
        """The same for IPv6."""
        return IPv6Interface(f"fd01:b:0:0:{self.number:x}::1/80")

    @property
    def overlay(self) -> Overlay:
        """What this agent is given in the lab's one overlay."""
        return Overlay(
            name="lab",
            subnet=OVERLAY_SUBNET,
            block=self.gateway.network,
            subnet6=OVERLAY_SUBNET6,
            block6=self.gateway6.network,
            vtep=Vtep(
                name=VTEP_NAME,
                vni=VNI,
                mac=f"70:b3:d5:80:00:{self.number:02x}",
                address=IPv4Interface(f"44.128.0.{self.number}/20"),
                address6=IPv6Interface(f"fd01:a::{self.number:x}/64"),
                mtu=OVERLAY_MTU,
            ),
        )

    @property
    def own_addresses(self) -> tuple[IpAddress, ...]:
        """Addresses of the agent itself that its peers' containers can reach."""
        vtep = self.overlay.vtep
        return tuple(
            ip_interface(str(each)).ip
            for each in (self.underlay, self.underlay6, vtep.address, vtep.address6)
        )

    @property
    def traces(self) -> frozenset[str]:
        """Every word by which a kernel row of a peer can mean this agent."""
        vtep = self.overlay.vtep
        words: set[str] = {vtep.mac}
        for network in (self.gateway.network, self.gateway6.network):
            words.add(str(network))
        for interface in (self.underlay, self.underlay6, vtep.address, vtep.address6):
            address = ip_interface(str(interface)).ip
            words |= {str(address), f"{address}/{address.max_prefixlen}"}
        return frozenset(words)


@dataclass(frozen=True, slots=True)
class Topology:
    """A whole lab. `agents` counts from 1; `agent(n)` also draws one that may join.

    Raises:
        LabError: A number or the prefix is out of range.
    """

    prefix: str = DEFAULT_PREFIX
    size: int = 3
    containers: int = 1

    def __post_init__(self) -> None:
        if not _PREFIX.fullmatch(self.prefix):
            raise LabError(
                f"prefix {self.prefix!r} is not a lab's name",
                "use a lower case letter, then up to 30 letters, digits and dashes",
            )
        for name, value, most in (
            ("agents", self.size, MOST_AGENTS),
            ("containers", self.containers, MOST_CONTAINERS),
        ):
            if not 1 <= value <= most:
                raise LabError(f"{name} is {value}: it must be 1 to {most}")

    @property
    def fabric(self) -> str:
        """The namespace of the underlay's switch."""
        return f"{self.prefix}-fabric"

    @property
    def agents(self) -> tuple[Agent, ...]:
        """Those that are there from the start."""
        return tuple(self.agent(number) for number in range(1, self.size + 1))

    def agent(self, number: int) -> Agent:
        """Agent `number`, with its containers."""
        return Agent(
            namespace=f"{self.prefix}-a{number}",
            number=number,
            containers=tuple(
                Container(f"{self.prefix}-c{number}-{each}", number, each)
                for each in range(1, self.containers + 1)
            ),
        )


def namespaces_of(agent: Agent) -> tuple[str, ...]:
    """The agent's own namespace and those of its containers."""
    return (agent.namespace, *(each.namespace for each in agent.containers))


def is_lab_namespace(name: str, prefix: str) -> bool:
    """Whether a lab with this prefix would call a namespace so."""
    return bool(re.fullmatch(rf"{re.escape(prefix)}-(fabric|a\d+|c\d+-\d+)", name))
