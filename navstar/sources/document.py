"""The form of an allocation file, and its way to the checked value.

    [[overlay]]
    name = "dcos"
    subnet = "9.0.0.0/8"
    block = "9.0.1.0/24"
    subnet6 = "fd01:b::/64"
    block6 = "fd01:b:0:0:1::/80"

    [overlay.vtep]
    name = "vtep1024"
    vni = 1024
    mac = "70:b3:d5:80:00:01"
    address = "44.128.0.1/20"
    address6 = "fd01:a::1/64"

JSON has the same fields: `{"overlay": [{"name": "dcos", ...}]}`.
"""

from __future__ import annotations

from pydantic import Field, ValidationError

from navstar.allocation import DEFAULT_VXLAN_PORT, Allocation, Overlay, Vtep
from navstar.checks import check_allocation
from navstar.errors import STAYS, Problem, Unusable
from navstar.fields import (
    AgentIp,
    Interface4,
    Interface6,
    Mac,
    Network4,
    Network6,
    Section,
    problems_of,
)


class VtepTable(Section):
    """As `navstar.allocation.Vtep`."""

    name: str
    vni: int
    mac: Mac
    port: int = DEFAULT_VXLAN_PORT
    address: Interface4 | None = None
    address6: Interface6 | None = None
    mtu: int | None = None


class OverlayTable(Section):
    """As `navstar.allocation.Overlay`."""

    name: str
    vtep: VtepTable
    subnet: Network4 | None = None
    block: Network4 | None = None
    subnet6: Network6 | None = None
    block6: Network6 | None = None
    bridges: list[str] = Field(default_factory=list)


class AllocationDocument(Section):
    """The whole file."""

    overlay: list[OverlayTable] = Field(default_factory=list)
    agent_ip: AgentIp | None = None


def read_allocation(document: object, *, origin: str) -> Allocation:
    """Check a parsed file, and make it the value that the daemon works with.

    Args:
        document: What the TOML or JSON parser returned.
        origin: The file, for the message.

    Raises:
        Unusable: With every problem of the file.
    """
    try:
        parsed = AllocationDocument.model_validate(document)
    except ValidationError as error:
        sections = (AllocationDocument, OverlayTable, VtepTable)
        raise Unusable(origin, problems_of(error, sections=sections)) from None
    if not parsed.overlay:
        raise Unusable(origin, [Problem("overlay", f"lists no overlay; {STAYS}")])
    overlays = tuple(_overlay(table) for table in parsed.overlay)
    findings = check_allocation(overlays)
    if findings:
        raise Unusable(
            origin,
            [
                Problem(f"overlay[{f.overlay}].{f.problem.field}", f.problem.problem)
                for f in findings
            ],
        )
    return Allocation(overlays=overlays, agent_ip=parsed.agent_ip)


def _overlay(table: OverlayTable) -> Overlay:
    vtep = table.vtep
    return Overlay(
        name=table.name,
        vtep=Vtep(
            name=vtep.name,
            vni=vtep.vni,
            mac=vtep.mac,
            port=vtep.port,
            address=vtep.address,
            address6=vtep.address6,
            mtu=vtep.mtu,
        ),
        subnet=table.subnet,
        block=table.block,
        subnet6=table.subnet6,
        block6=table.block6,
        bridges=tuple(table.bridges),
    )
