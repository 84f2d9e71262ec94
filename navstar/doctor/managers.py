"""Daemons that take rows away which they did not write."""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterator

from navstar.doctor.finding import Finding, Level
from navstar.doctor.host import Host, Needs

_NETWORKD = "systemd/networkd.conf"
#: Later ones overrule earlier ones, and a drop-in the file.
_DIRECTORIES = ("usr/lib", "usr/local/lib", "run", "etc")
_KEEP = {
    "ManageForeignRoutes": "the routes to all agents",
    "ManageForeignRoutingPolicyRules": "the rules that lead to the overlay's table",
}
_NETWORK_MANAGER = ("usr/lib", "run", "etc")


def check_networkd(host: Host, needs: Needs) -> Iterator[Finding]:
    """systemd-networkd, if it runs, leaves foreign routes and rules alone."""
    if not host.path("/run/systemd/netif/links").exists():
        return
    found = _settings_of_networkd(host)
    for setting, loses in _KEEP.items():
        if found.get(setting.lower(), "yes").lower() in ("no", "false", "0", "off"):
            continue
        yield Finding(
            "networkd",
            Level.WARNING,
            f"systemd-networkd runs with {setting}=yes (its default)",
            f"when it is restarted it removes {loses}; navstar puts them back, "
            "but packets are lost meanwhile",
            "navstar install --root / (drop-in for networkd), then: "
            "systemctl restart systemd-networkd",
        )


def _settings_of_networkd(host: Host) -> dict[str, str]:
    files = [host.path(f"{top}/{_NETWORKD}") for top in _DIRECTORIES]
    drop_ins = {
        path.name: path
        for top in _DIRECTORIES
        for path in sorted(host.path(f"{top}/{_NETWORKD}.d").glob("*.conf"))
    }
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    for path in (*files, *(drop_ins[name] for name in sorted(drop_ins))):
        try:
            parser.read(path)
        except (configparser.Error, OSError, UnicodeDecodeError):
            continue  # networkd does not read it either.
    return dict(parser["Network"]) if parser.has_section("Network") else {}


def check_network_manager(host: Host, needs: Needs) -> Iterator[Finding]:
    """NetworkManager, if it runs, does not manage our VTEPs."""
    if not host.path("/run/NetworkManager").exists():
        return
    patterns = _unmanaged(host)
    for vtep in needs.vteps:
        if any(pattern.fullmatch(vtep.name) for pattern in patterns):
            continue
        yield Finding(
            "NetworkManager",
            Level.WARNING,
            f"NetworkManager runs and may manage {vtep.name}",
            "it may take its addresses and routes away, or set it down",
            "navstar install --root / (drop-in for NetworkManager), then: nmcli "
            "general reload",
        )


def _unmanaged(host: Host) -> list[re.Pattern[str]]:
    """Patterns of the device names that NetworkManager is to leave alone."""
    patterns = []
    for top in _NETWORK_MANAGER:
        for path in sorted(host.path(f"{top}/NetworkManager/conf.d").glob("*.conf")):
            text = host.text(str(path.relative_to(host.root))) or ""
            for line in re.findall(r"^unmanaged-devices\+?=(.*)$", text, re.MULTILINE):
                for spec in re.findall(r"interface-name:=?([^,;\s]+)", line):
                    wild = re.escape(spec).replace(r"\*", ".*").replace(r"\?", ".")
                    patterns.append(re.compile(wild))
    return patterns
