"""All checks of the host, in one go. Blocks; changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeAlias

from navstar.allocation import Allocation, Overlay
from navstar.cli_options import config_path, control_socket
from navstar.config import Config, FileSource, load_config
from navstar.control import Reply, request
from navstar.doctor.clock import check_clock
from navstar.doctor.finding import Finding, Level
from navstar.doctor.firewall import check_device_names, check_forward_policy
from navstar.doctor.host import Host, NeededVtep, Needs
from navstar.doctor.kernel import check_rights, check_version, check_vxlan
from navstar.doctor.managers import check_network_manager, check_networkd
from navstar.doctor.ports import check_links, check_ports, check_rules
from navstar.doctor.settings import (
    check_forwarding,
    check_mtu,
    check_neighbour_limits,
    check_rp_filter,
)
from navstar.errors import ControlError, Unusable
from navstar.sources.file import read_file

Check: TypeAlias = Callable[[Host, Needs], Iterable[Finding]]

CHECKS: dict[str, Check] = {
    "kernel": check_version,
    "rights": check_rights,
    "vxlan": check_vxlan,
    "forwarding": check_forwarding,
    "rp_filter": check_rp_filter,
    "neighbours": check_neighbour_limits,
    "mtu": check_mtu,
    "port": check_ports,
    "links": check_links,
    "rules": check_rules,
    "firewall": check_forward_policy,
    "firewall rules": check_device_names,
    "networkd": check_networkd,
    "NetworkManager": check_network_manager,
    "clock": check_clock,
}

_ORDER = {level: number for number, level in enumerate(Level)}


def examine_host(socket: Path | None, config: Path | None) -> dict[str, Any]:
    """Examine this host for what the daemon, or its configuration, needs.

    Raises:
        Unusable: The configuration that was named cannot be read.
    """
    status = _status(socket, config)
    settings, path = None, config_path(config)
    if config is not None or path.exists():
        settings = load_config(path)
    needs = needs_of(status, settings)
    found = examine(Host(), needs)
    return {
        "findings": [asdict(one) | {"level": one.level.value} for one in found],
        "checked": list(CHECKS),
        "daemon": status is not None,
        "configuration": str(path) if settings is not None else None,
        "vteps": [vtep.name for vtep in needs.vteps],
        "ok": all(one.level is Level.REMARK for one in found),
    }


def examine(host: Host, needs: Needs) -> list[Finding]:
    """Everything that is wrong, the worst first."""
    found: list[Finding] = []
    for name, check in CHECKS.items():
        try:
            found += check(host, needs)
        except OSError as error:
            found.append(
                Finding(
                    name,
                    Level.REMARK,
                    f"cannot be looked at: {error}",
                    "unknown",
                    "run navstar doctor as root",
                )
            )
    return sorted(found, key=lambda one: _ORDER[one.level])


def needs_of(status: Reply | None, config: Config | None) -> Needs:
    """What a running daemon, or else the configuration, needs of the host."""
    table, priority = 42, 32000
    if config is not None:
        table, priority = config.overlay.table, config.overlay.rule_priority
    if status is not None:
        return Needs(
            vteps=_vteps_of_status(status),
            agent_ip=ip_address(status["agent_ip"]) if status["agent_ip"] else None,
            agents=max(status["rows"]["agents"], sum(status["members"].values()) - 1),
            table=table,
            rule_priority=priority,
        )
    allocation = _allocation(config)
    vteps = {overlay.vtep.name: _vtep(overlay) for overlay in allocation.overlays}
    agent_ip = config.overlay.agent_ip if config is not None else None
    return Needs(
        vteps=tuple(vteps.values()),
        agent_ip=agent_ip or allocation.agent_ip,
        table=table,
        rule_priority=priority,
    )


def _status(socket: Path | None, config: Path | None) -> Reply | None:
    try:
        return request(control_socket(socket, config), "status")
    except (ControlError, Unusable):
        return None


def _allocation(config: Config | None) -> Allocation:
    if config is None or not isinstance(config.source, FileSource):
        return Allocation()
    try:
        return read_file(config.source.path)
    except Unusable:
        return Allocation()  # `navstar config check` says what is wrong with it.


def _vtep(overlay: Overlay) -> NeededVtep:
    vtep = overlay.vtep
    families = {4 if overlay.block else 0, 6 if overlay.block6 else 0} - {0}
    return NeededVtep(vtep.name, vtep.vni, vtep.port, vtep.mtu, frozenset(families))


def _vteps_of_status(status: Reply) -> tuple[NeededVtep, ...]:
    found: dict[str, NeededVtep] = {}
    for one in status["overlays"]:
        families = {4 if one["block"] else 0, 6 if one["block6"] else 0} - {0}
        found[one["vtep"]] = NeededVtep(
            one["vtep"], one["vni"], one["port"], one["mtu"], frozenset(families)
        )
    return tuple(found.values())
