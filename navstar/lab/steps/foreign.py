"""What others have put into a kernel stays there, whatever navstar does.

Rows of an invented routing daemon (protocol 99) are planted before navstar starts:
on the underlay's device, and among its own in table 42 and in the rules. One more
goes over the VTEP when that is there. They have to be there at the end, and after
`navstar down` as well, which takes what is navstar's and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable

from pyroute2 import IPRoute

from navstar.lab import namespaces
from navstar.lab.kernel_view import Snapshot, snapshot
from navstar.lab.report import Check
from navstar.lab.steps.leaving import own_rows, take_navstar_down
from navstar.lab.steps.stage import Stage
from navstar.lab.topology import UPLINK, VTEP_NAME, Agent
from navstar.tables import OVERLAY_TABLE

NAME = "foreign routes, rules and neighbours are as they were"
GOAL = "all there, after navstar down too"

_PROTOCOL = 99
_PERMANENT = 0x80
_MAC = "02:00:00:00:00:fa"
_GATEWAY, _GATEWAY6 = "10.0.0.250", "fd00::fa"


def plant_before_start(stage: Stage) -> None:
    """Put the rows of another daemon into every agent, before navstar runs."""
    for agent in stage.lab.agents:
        _plant(stage, agent, _underlay_rows)


def plant_on_vtep(stage: Stage) -> None:
    """Put a foreign route over the first agent's VTEP."""
    _plant(stage, stage.first, _vtep_rows)


def foreign_rows_are_there(stage: Stage) -> Check:
    """Look for every foreign row; take the first agent's navstar down; look again."""
    planted = sum(len(lines) for lines in stage.planted.values())
    agents = {each.name: each for each in stage.lab.agents}
    missing = [
        f"{name}: {line}"
        for name, lines in stage.planted.items()
        for line in sorted(lines - snapshot(agents[name].namespace))
    ]
    stage.say(f"navstar down on {stage.first.name}")
    take_navstar_down(stage.lab.record, stage.first)
    after = snapshot(stage.first.namespace)
    # What leads over the VTEP ends with it; that is the kernel's doing.
    lasting = {
        line
        for line in stage.planted[stage.first.name]
        if VTEP_NAME not in line.split()
    }
    missing += [f"{stage.first.name} after down: {line}" for line in lasting - after]
    ours = own_rows(after)
    said = (
        f"{planted - len(missing)}/{planted} there; "
        f"navstar down left {len(ours)} rows of its own"
    )
    return Check(
        NAME,
        ok=planted > 0 and not missing and not ours,
        said=said + (f"; missing {missing[0]}" if missing else ""),
        goal=GOAL,
        figures={
            "planted": planted,
            "missing": len(missing),
            "own_rows_after_down": len(ours),
        },
    )


def _plant(stage: Stage, agent: Agent, put: Callable[[IPRoute], None]) -> None:
    def work() -> None:
        with IPRoute() as kernel:
            put(kernel)

    before = snapshot(agent.namespace)
    namespaces.inside(agent.namespace, work)
    added: Snapshot = snapshot(agent.namespace) - before
    stage.planted[agent.name] = stage.planted.get(agent.name, frozenset()) | added


def _underlay_rows(kernel: IPRoute) -> None:
    device = kernel.link_lookup(ifname=UPLINK)[0]
    for gateway, subnet in (
        (_GATEWAY, "198.51.100.0/24"),
        (_GATEWAY6, "2001:db8:1::/64"),
    ):
        kernel.neigh("add", ifindex=device, dst=gateway, lladdr=_MAC, state=_PERMANENT)
        kernel.route("add", dst=subnet, gateway=gateway, oif=device, proto=_PROTOCOL)
        kernel.route(
            "add",
            dst=subnet,
            gateway=gateway,
            oif=device,
            proto=_PROTOCOL,
            table=OVERLAY_TABLE,
        )
        kernel.rule("add", src=subnet, table=99, priority=31_000, protocol=_PROTOCOL)


def _vtep_rows(kernel: IPRoute) -> None:
    device = kernel.link_lookup(ifname=VTEP_NAME)[0]
    kernel.route(
        "add", dst="203.0.113.0/24", gateway="44.128.0.250", oif=device, proto=_PROTOCOL
    )
