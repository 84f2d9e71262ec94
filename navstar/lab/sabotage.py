"""Rows and links deleted behind navstar's back, and how long until they are back.

The deletes are plain pyroute2 calls, as an operator's or another daemon's would be.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from operator import methodcaller
from socket import AF_INET, AF_INET6
from typing import TypeAlias

from pyroute2 import IPRoute
from pyroute2.netlink import nlmsg

from navstar.lab import namespaces
from navstar.lab.errors import LabError
from navstar.lab.kernel_view import describe, device_names, words
from navstar.lab.topology import OVERLAY_SUBNET, OVERLAY_SUBNET6, Agent
from navstar.tables import MAIN_TABLE, OVERLAY_TABLE

_LOOK_PERIOD = 0.002

_Dump: TypeAlias = Callable[[IPRoute], Iterable[nlmsg]]
_Delete: TypeAlias = Callable[[IPRoute, nlmsg], object]


@dataclass(frozen=True, slots=True)
class Target:
    """One kind of row: how it is found, and how it is deleted.

    Attributes:
        name: For people: `route v6`.
        start: How its line in a snapshot begins.
        mark: Words of which its line has at least one.
        also: Words that its line has all of.
        dump: Lists rows of this kind.
        delete: Deletes one of those.
    """

    name: str
    start: str
    mark: frozenset[str]
    also: frozenset[str]
    dump: _Dump
    delete: _Delete

    def meets(self, line: str) -> bool:
        """Whether a line of a snapshot is such a row."""
        named = words(line)
        return (
            line.startswith(self.start)
            and bool(named & self.mark)
            and (self.also <= named)
        )


@dataclass(frozen=True, slots=True)
class Repair:
    """How a deleted row came back; `seconds` is None if it did not in time."""

    name: str
    line: str
    seconds: float | None


def targets(peer: Agent) -> tuple[Target, ...]:
    """Every kind of row by which an agent reaches `peer`, v4 and v6."""
    found = [Target("FDB row", "fdb ", peer.traces, frozenset(), _fdb, _delete_fdb)]
    overlays = {AF_INET: OVERLAY_SUBNET, AF_INET6: OVERLAY_SUBNET6}
    for family, name, label in ((AF_INET, "inet", "v4"), (AF_INET6, "inet6", "v6")):
        routes = f"route {name} "
        found += [
            Target(
                f"neighbour {label}",
                f"neigh {name} ",
                peer.traces,
                frozenset(),
                _of_family("get_neighbours", family),
                _delete_neighbour,
            ),
            *(
                Target(
                    f"{kind} {label}",
                    routes,
                    peer.traces,
                    frozenset({"table", str(table)}),
                    _of_family("get_routes", family),
                    _delete_route,
                )
                for kind, table in (
                    ("route", MAIN_TABLE),
                    ("host route", OVERLAY_TABLE),
                )
            ),
            Target(
                f"rule {label}",
                f"rule {name} ",
                frozenset({str(overlays[family])}),
                frozenset({str(OVERLAY_TABLE)}),
                _of_family("get_rules", family),
                _delete_rule,
            ),
        ]
    return tuple(found)


def delete_row(namespace: str, target: Target, *, within: float) -> Repair:
    """Delete one row of a kind in a namespace, and watch for it to come back.

    Raises:
        LabError: There is no such row to delete.
    """

    def strike() -> Repair:
        with IPRoute() as kernel:
            names = device_names(kernel)
            for message in target.dump(kernel):
                line = describe(message, names)
                if line is not None and target.meets(line):
                    target.delete(kernel, message)
                    return Repair(
                        target.name, line, _return_of(line, kernel, target, within)
                    )
        raise LabError(f"{namespace} has no {target.name} that could be deleted")

    return namespaces.inside(namespace, strike)


def delete_link(namespace: str, name: str) -> float:
    """Delete a link, and return when it was gone, monotonic seconds.

    Raises:
        LabError: There is none of this name.
    """

    def strike() -> float:
        with IPRoute() as kernel:
            found = kernel.link_lookup(ifname=name)
            if not found:
                raise LabError(f"{namespace} has no link {name} that could be deleted")
            kernel.link("del", index=found[0])
            return time.monotonic()

    return namespaces.inside(namespace, strike)


def _return_of(
    line: str, kernel: IPRoute, target: Target, within: float
) -> float | None:
    gone_at = time.monotonic()
    while True:
        names = device_names(kernel)
        if any(describe(each, names) == line for each in target.dump(kernel)):
            return time.monotonic() - gone_at
        if time.monotonic() - gone_at > within:
            return None
        time.sleep(_LOOK_PERIOD)


def _fdb(kernel: IPRoute) -> Iterable[nlmsg]:
    return list(kernel.fdb("dump"))


def _of_family(dump: str, family: int) -> _Dump:
    get = methodcaller(dump, family=family)
    return lambda kernel: list(get(kernel))


def _delete_fdb(kernel: IPRoute, row: nlmsg) -> None:
    kernel.fdb(
        "del",
        ifindex=row["ifindex"],
        lladdr=row.get_attr("NDA_LLADDR"),
        dst=row.get_attr("NDA_DST"),
    )


def _delete_neighbour(kernel: IPRoute, row: nlmsg) -> None:
    kernel.neigh(
        "del",
        ifindex=row["ifindex"],
        dst=row.get_attr("NDA_DST"),
        family=row["family"],
    )


def _delete_route(kernel: IPRoute, row: nlmsg) -> None:
    kernel.route(
        "del",
        family=row["family"],
        dst=f"{row.get_attr('RTA_DST')}/{row['dst_len']}",
        oif=row.get_attr("RTA_OIF"),
        table=row.get_attr("RTA_TABLE"),
        priority=row.get_attr("RTA_PRIORITY"),
    )


def _delete_rule(kernel: IPRoute, row: nlmsg) -> None:
    kernel.rule(
        "del",
        family=row["family"],
        src=f"{row.get_attr('FRA_SRC')}/{row['src_len']}",
        table=row.get_attr("FRA_TABLE"),
        priority=row.get_attr("FRA_PRIORITY"),
    )
