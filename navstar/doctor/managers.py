"""Daemons that take rows away which they did not write."""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterator

from navstar.doctor.finding import Finding, Level
from navstar.doctor.host import Host, Needs
from navstar.installation import FILES

_NETWORKD = "systemd/networkd.conf"
#: Later ones overrule earlier ones, and a drop-in the file.
_DIRECTORIES = ("usr/lib", "usr/local/lib", "run", "etc")
_KEEP = {
    "ManageForeignRoutes": "the routes to all agents",
    "ManageForeignRoutingPolicyRules": "the rules that lead to the overlay's table",
}
_NETWORK_MANAGER = ("usr/lib", "run", "etc")
_DROP_INS = "NetworkManager/conf.d"
_MAIN_FILE = "etc/NetworkManager/NetworkManager.conf"
#: What `navstar install` writes.
_USUAL = FILES[f"etc/{_DROP_INS}/10-navstar.conf"]


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
    """NetworkManager, if it runs, does not manage our devices."""
    if not host.path("/run/NetworkManager").exists():
        return
    specs = _unmanaged(host)
    version = needs.agent_ip.version if needs.agent_ip is not None else 4
    for vtep in needs.vteps:
        names = vtep.name, *vtep.beside(version)
        managed = [name for name in names if not _is_among(name, specs)]
        if not managed:
            continue
        remedy = "navstar install --root / (drop-in for NetworkManager)"
        words = [f"interface-name:{name}" for name in managed if not _is_usual(name)]
        if words:
            remedy += (
                ", with 'unmanaged-devices+=" + ";".join(words) + "' in another file "
                "in /etc/NetworkManager/conf.d"
            )
        yield Finding(
            "NetworkManager",
            Level.WARNING,
            f"NetworkManager runs and may manage {', '.join(managed)}",
            "it may take its addresses and routes away, or set it down",
            f"{remedy}, then: nmcli general reload",
        )


def _is_usual(name: str) -> bool:
    """Whether the drop-in that navstar installs covers the device."""
    return _is_among(name, _specs_after((), _USUAL))


def _unmanaged(host: Host) -> tuple[str, ...]:
    """The specs of devices that NetworkManager is to leave alone.

    Source: NetworkManager.conf(5): a file with the same name in a later directory
    takes an earlier one's place; `=` takes the place of what was said before, `+=`
    adds to it.
    """
    files = {
        path.name: path
        for top in _NETWORK_MANAGER
        for path in sorted(host.path(f"{top}/{_DROP_INS}").glob("*.conf"))
    }
    first, main = host.path(f"usr/lib/{_DROP_INS}"), host.path(_MAIN_FILE)
    ordered = [
        *(files[name] for name in sorted(files) if files[name].parent == first),
        main,
        *(files[name] for name in sorted(files) if files[name].parent != first),
    ]
    specs: tuple[str, ...] = ()
    for path in ordered:
        specs = _specs_after(specs, host.text(str(path.relative_to(host.root))) or "")
    return specs


def _specs_after(specs: tuple[str, ...], text: str) -> tuple[str, ...]:
    for adds, value in re.findall(
        r"^\s*unmanaged-devices\s*(\+?)=(.*)$", text, re.MULTILINE
    ):
        fresh = (spec.strip() for spec in re.split(r"[,;]", value))
        specs = (*(specs if adds else ()), *filter(None, fresh))
    return specs


def _is_among(name: str, specs: tuple[str, ...]) -> bool:
    """Whether one of the specs means the device, and no exception does."""
    excepted = [spec.removeprefix("except:") for spec in specs if "except:" in spec]
    if any(_means(spec, name) for spec in excepted):
        return False
    meant = [spec for spec in specs if "except:" not in spec]
    # Exceptions alone mean every other device.
    return any(_means(spec, name) for spec in meant) if meant else bool(excepted)


def _means(spec: str, name: str) -> bool:
    if spec in ("*", "type:vxlan", "driver:vxlan"):
        return True
    kind, _, wanted = spec.partition(":")
    if kind != "interface-name":
        return False
    if wanted.startswith("="):
        return wanted[1:] == name
    wild = re.escape(wanted.removeprefix("~")).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(wild, name) is not None
