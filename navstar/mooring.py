"""Keeps lashup where this host has an address, when the underlay's address changes.

The others find an agent by the addresses that lashup tells. A socket that is bound to
an address which the host has no more hears nothing and sends nothing, so nobody could
be told of the new one. So where an address of the configuration is gone, and the host
reaches the others from another one of its family, lashup is moved there in place; and
back, when the address is there again. Without another one it stays where it is: most
addresses that go come back.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from ipaddress import ip_address
from typing import TYPE_CHECKING, TypeAlias

import trio

from lashup import ConfigError, NodeClosed, RunningNode
from navstar.agent_address import local_address
from navstar.allocation import IpAddress, Network
from navstar.config import Config

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from lashup.machine import Address

#: Seconds between an address that went and the look at where to go: whoever replaces
#: one takes the old one away first.
SETTLE = 0.1
#: Members that are tried for the way to them, at most.
_TRIED = 8


_Places: TypeAlias = "tuple[tuple[Address, ...], tuple[Address, ...]]"


class Mooring:
    """Moves lashup's sockets after this host's addresses.

    Args:
        node: Of lashup.
        config: The configuration as of now.
        overlaid: The networks that stand on the underlay, as of now.
        on_settled: Called when who asked whether we are adrift can go on.
        log: Told of each move, and of what prevents one.
    """

    def __init__(
        self,
        node: RunningNode,
        config: Callable[[], Config],
        *,
        overlaid: Callable[[], frozenset[Network]],
        on_settled: Callable[[], None],
        log: FilteringBoundLogger,
    ) -> None:
        self._node = node
        self._config = config
        self._overlaid = overlaid
        self._on_settled = on_settled
        self._is_waited_for = False
        self._log = log
        self._wanted = trio.Event()
        lashup = config().lashup
        self._at: _Places = (lashup.bind, lashup.advertise)
        self._refused: _Places | None = None
        #: Hosts of the configuration that were addresses of this host.
        self._had = {host for host, _ in lashup.bind}

    def look(self) -> None:
        """The host's addresses, or the configuration, may have changed."""
        self._wanted.set()

    def is_adrift(self) -> bool:
        """Whether lashup is about to move: what is said before that would be lost.

        So it is where the address goes at which others reach us first. Whoever asks and
        is told so is called when that is over, by `on_settled`.
        """
        places = self._places()
        is_adrift = places != self._refused and _first(places) != _first(self._at)
        self._is_waited_for |= is_adrift
        return is_adrift

    async def run(self) -> None:
        """Follow the host's addresses, until cancelled."""
        while True:
            await self._wanted.wait()
            self._wanted = trio.Event()
            await trio.sleep(SETTLE)
            await self._set_right()
            if self._is_waited_for:
                self._is_waited_for = False
                self._on_settled()

    async def _set_right(self) -> None:
        places = self._places()
        if places == self._at:
            self._refused = None
            return
        bind, told = places
        try:
            await self._node.move(_with_ports(bind, self._node), advertise=told)
        except (ConfigError, NodeClosed) as error:
            if places != self._refused:
                self._refused = places
                self._log.error("lashup stays where it is", why=str(error))
            return
        self._at, self._refused = places, None
        self._log.warning(
            "lashup moved", to=[f"{host} port {port}" for host, port in bind]
        )

    def _places(self) -> _Places:
        """Where lashup should be now: what to bind, and what to tell the others."""
        lashup = self._config().lashup
        return (
            tuple(map(self._place_of, lashup.bind)),
            tuple(map(self._place_of, lashup.advertise)),
        )

    def _place_of(self, address: Address) -> Address:
        """The address itself, or what there is instead of one that this host had.

        One that it never had is the operator's mistake, or that of a translation on
        the way to us, which is no business of ours.
        """
        host, port = address
        wanted = ip_address(host)
        if wanted.is_unspecified or wanted.is_loopback:
            return address
        if is_here(wanted):
            self._had.add(host)
            return address
        if host not in self._had:
            return address
        for other in self._others():
            if other.version != wanted.version or other.is_loopback:
                continue
            found = local_address(other, self._overlaid())
            if found is not None and not found.is_loopback and is_here(found):
                return (str(found), port)
        return address

    def _others(self) -> list[IpAddress]:
        """Where the others are: the seeds first, for they are the operator's word."""
        own = {host for host, _ in self._node.addresses}
        known = [
            host
            for member in self._node.live_members()[: _TRIED + 1]
            if member.id != self._node.id
            for host, _ in member.addresses
        ]
        seeds = [host for host, _ in self._config().lashup.seeds]
        hosts = dict.fromkeys([*seeds, *known])
        return [ip_address(host) for host in hosts if host not in own]


def _first(places: _Places) -> Address:
    bind, told = places
    return (told or bind)[0]


def is_here(address: IpAddress) -> bool:
    """Whether this host has an address, ready to be used."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError:
        return False
    return True


def _with_ports(bind: Iterable[Address], node: RunningNode) -> list[Address]:
    """Port 0 in a configuration is whatever was found free: it stays that."""
    present = {ip_address(h).version: port for h, port in node.bound_addresses}
    return [
        (host, port or present.get(ip_address(host).version, 0)) for host, port in bind
    ]
