"""Whether the host's firewall drops what it should pass on.

nftables is looked into (`navstar.doctor.nftables`), and with it what `iptables-nft`
wrote. The older iptables keeps its tables elsewhere; that it is in use is all that is
looked at.
"""

from __future__ import annotations

from collections.abc import Iterator

from navstar.doctor.finding import Finding, Level
from navstar.doctor.host import Host, NeededVtep, Needs
from navstar.doctor.nftables import DeviceName, device_names, dropping_chains

_FAMILIES = {1: ("inet", {4, 6}), 2: ("ip", {4}), 10: ("ip6", {6})}
#: For the commands, while no allocation is known.
_USUAL = NeededVtep("vtep1024", 1024, 64000, None, frozenset({4}))


def check_forward_policy(host: Host, needs: Needs) -> Iterator[Finding]:
    """No chain at the forward hook drops what no rule lets pass."""
    for chain in dropping_chains():
        name, families = _FAMILIES.get(chain.family, ("?", set()))
        if not families & needs.families:
            continue
        accept = f"nft insert rule {name} {chain.table} {chain.name}"
        vteps = needs.vteps or (_USUAL,)
        devices = ", ".join(one for vtep in vteps for one in _devices(vtep, needs))
        yield Finding(
            "firewall",
            Level.WARNING,
            f"chain {name} {chain.table} {chain.name} has the policy drop",
            "packets between bridge and VTEP are dropped unless a rule accepts them",
            f"{accept} iifname '{{ {devices} }}' accept; "
            f"{accept} oifname '{{ {devices} }}' accept",
        )
    for family, table in ((4, "ip_tables_names"), (6, "ip6_tables_names")):
        names = (host.text(f"/proc/thread-self/net/{table}") or "").split()
        if "filter" in names and family in needs.families:
            command = "iptables" if family == 4 else "ip6tables"
            yield Finding(
                "firewall",
                Level.REMARK,
                f"the old {command} has a filter table, which is not looked into",
                "with 'Chain FORWARD (policy DROP)' packets of containers are dropped",
                f"{command}-legacy -S FORWARD shows it",
            )


def check_device_names(host: Host, needs: Needs) -> Iterator[Finding]:
    """Where rules name a VTEP, they name the devices beside it as well."""
    found = device_names()
    for vtep in needs.vteps:
        first, *others = _devices(vtep, needs)
        for family, table in sorted({_place(one) for one in found}):
            here = [one for one in found if _place(one) == (family, table)]
            chains = sorted({one.chain.name for one in here if one.matches(first)})
            missing = [x for x in others if not any(one.matches(x) for one in here)]
            name, families = _FAMILIES.get(family, ("?", set()))
            if not (chains and missing and families & needs.families):
                continue
            yield Finding(
                "firewall rules",
                Level.WARNING,
                f"rules in {name} {table} ({', '.join(chains)}) name {first} and not "
                + ", ".join(missing),
                "packets by these devices are not matched: they come in by them while "
                "VNI or port of the VTEP change, and go both ways by the one with w "
                "where another agent is on the other underlay family",
                f"name them wherever {first} is named: iifname "
                f"'{{ {', '.join((first, *missing))} }}'",
            )


def _devices(vtep: NeededVtep, needs: Needs) -> tuple[str, ...]:
    """The VTEP's own, and those that may come to stand beside it."""
    version = needs.agent_ip.version if needs.agent_ip is not None else 4
    return vtep.name, *vtep.beside(version)


def _place(one: DeviceName) -> tuple[int, str]:
    return one.chain.family, one.chain.table
