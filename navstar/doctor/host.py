"""What the checks look at: files of the host, and what navstar needs of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from navstar.allocation import IpAddress
from navstar.tables import former_name, second_name


@dataclass(frozen=True, slots=True)
class NeededVtep:
    """A VTEP that is, or will be, on this host.

    Attributes:
        name: Of the device.
        vni: VXLAN network identifier.
        port: UDP port.
        mtu: As the allocation says it; None: derived from the underlay, so it fits.
        families: Of the overlays on it: 4, 6 or both.
    """

    name: str
    vni: int
    port: int
    mtu: int | None
    families: frozenset[int]

    def beside(self, version: int) -> tuple[str, ...]:
        """Names of the devices that may come to stand beside it.

        They have the numbers of today: the one that only receives is there when
        these change, and the second one when another agent needs it.

        Args:
            version: Of the agent's underlay address.
        """
        return (
            former_name(self.vni, self.port, version),
            second_name(self.vni, self.port),
        )


@dataclass(frozen=True, slots=True)
class Needs:
    """What navstar needs of the host, as far as that is known.

    Attributes:
        vteps: One per device; empty while no allocation is known.
        agent_ip: This agent's underlay address.
        agents: How many other agents the table has.
        table: Routing table of the routes to agents.
        rule_priority: Of the rules that lead to it.
    """

    vteps: tuple[NeededVtep, ...] = ()
    agent_ip: IpAddress | None = None
    agents: int = 0
    table: int = 42
    rule_priority: int = 32000

    @property
    def families(self) -> frozenset[int]:
        """Address families of the overlays; IPv4 while nothing is known."""
        families = frozenset[int]().union(*(vtep.families for vtep in self.vteps))
        return families or frozenset({4})


class Host:
    """The files of a host.

    Args:
        root: Where its file system begins; tests have others.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        self.root = root

    def path(self, name: str) -> Path:
        """A file of the host, by its absolute name."""
        return self.root / name.lstrip("/")

    def text(self, name: str) -> str | None:
        """What is in a file; None if it is not there or may not be read."""
        try:
            return self.path(name).read_text(errors="replace")
        except OSError:
            return None

    def kernel_version(self) -> tuple[int, int] | None:
        """Of the kernel, as (6, 18); None if its name does not tell."""
        found = re.match(r"(\d+)\.(\d+)", self.setting("kernel/osrelease") or "")
        return (int(found[1]), int(found[2])) if found else None

    def setting(self, name: str) -> str | None:
        """A sysctl, named as in `net/ipv4/ip_forward`."""
        text = self.text(f"/proc/sys/{name}")
        return text.strip() if text is not None else None

    def number(self, name: str) -> int | None:
        """A sysctl that is a number."""
        text = self.setting(name)
        return int(text) if text is not None and text.lstrip("-").isdigit() else None
