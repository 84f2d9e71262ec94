"""Idle TCP connections to a few members: the kernel closes them when a process dies.

Nothing is ever sent on them. Each node listens on the TCP port of the number of its
UDP port, and keeps a connection to the members that membership names. When one
breaks, that is evidence about the member, and no more: an attacker who breaks it
causes some pings. A member that cannot be connected to is simply not watched.

Plain sockets, each owned by one block at any moment: a connection that is made as its
task is cancelled is closed all the same.
"""

from __future__ import annotations

import errno
import math
import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from weakref import WeakSet

import anyio
import anyio.abc
import anyio.lowlevel

from lashup.machine import Address, NodeId
from lashup.membership import Member
from lashup.runtime.forked import blank, own

#: Seconds between two looks at whom to watch, at least.
_LOOK_PERIOD = 1.0
#: Seconds that connecting may take.
_CONNECT_TIMEOUT = 2.0
#: Seconds until a member that could not be connected to is tried again, and at most.
_RETRY, _LONGEST_RETRY = 2.0, 60.0
#: Seconds until an address that could not be listened at is tried again.
_LISTEN_AGAIN = 5.0
#: Seconds until a connection is taken that could not be: it stays in the queue.
_ACCEPT_AGAIN = 1.0
#: Connections of others that are held, at most. Each costs a descriptor.
_HELD = 64

#: A life of a member, at an address: another life is another wire.
_Wire: TypeAlias = tuple[NodeId, int, Address]


@dataclass(slots=True)
class _Failure:
    """A member that could not be connected to."""

    again_at: float
    pause: float


class Tripwires:
    """The tripwires of one node, both ends.

    Args:
        addresses: Where this node listens.
        wanted: Says whom to watch, with the addresses to use.
        broken: Called with the address of a member whose wire broke.
    """

    def __init__(
        self,
        addresses: Sequence[Address],
        *,
        wanted: Callable[[], Sequence[tuple[Member, Address]]],
        broken: Callable[[Address], None],
    ) -> None:
        self._addresses = tuple(addresses)
        self._wanted = wanted
        self._broken = broken
        self._wires: dict[_Wire, anyio.CancelScope] = {}
        self._failures: dict[_Wire, _Failure] = {}
        self._listening: dict[Address, anyio.CancelScope] = {}
        self._tasks: anyio.abc.TaskGroup | None = None
        self._looked_at = -math.inf
        #: All that are open: listeners, wires of ours, and those of others.
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self._held = 0
        self._counts = dict.fromkeys(
            ("connected", "broken", "unlistened", "unaccepted"), 0
        )
        own(self)

    def statistics(self) -> dict[str, int]:
        """Wires of ours now, and counts since the start."""
        return {"wires": len(self._wires), "held": self._held, **self._counts}

    def move(self, addresses: Sequence[Address]) -> None:
        """Listen there from the next look on, and nowhere else."""
        self._addresses = tuple(addresses)
        self._looked_at = -math.inf

    def leave_to_parent(self) -> None:
        """In a child that was forked: wires break when the parent dies."""
        for sock in self._sockets:
            blank(sock.fileno())

    async def run(self) -> None:
        """Keep the wires until cancelled; `look` says which."""
        async with anyio.create_task_group() as self._tasks:
            self.look()
            await anyio.sleep_forever()

    def look(self) -> None:
        """See whom to watch and where to listen, if that was not done just now.

        Called whenever the node has done something. It does so some times a second
        while it has anybody to watch, and a timer for this alone would wake the
        process as often again.
        """
        now = anyio.current_time()
        if self._tasks is None or now < self._looked_at + _LOOK_PERIOD:
            return
        self._looked_at = now
        self._look_where_to_listen(self._tasks)
        self._look_whom_to_watch(self._tasks, now=now)

    def _look_where_to_listen(self, tasks: anyio.abc.TaskGroup) -> None:
        for address in self._listening.keys() - set(self._addresses):
            self._listening.pop(address).cancel()
        for address in self._addresses:
            if address not in self._listening:
                scope = self._listening[address] = anyio.CancelScope()
                tasks.start_soon(self._listen, address, scope)

    def _look_whom_to_watch(self, tasks: anyio.abc.TaskGroup, *, now: float) -> None:
        wanted: set[_Wire] = {
            (member.id, member.epoch, address) for member, address in self._wanted()
        }
        for wire in self._wires.keys() - wanted:
            self._wires[wire].cancel()
        for wire in self._failures.keys() - wanted:
            del self._failures[wire]
        for wire in wanted - self._wires.keys():
            failure = self._failures.get(wire)
            if failure is None or failure.again_at <= now:
                self._wires[wire] = anyio.CancelScope()
                tasks.start_soon(self._watch, wire)

    async def _watch(self, wire: _Wire) -> None:
        """Hold one wire until it breaks, or nobody wants it any more."""
        try:
            with self._wires[wire], _new_socket(wire[2]) as sock:
                self._sockets.add(sock)
                with anyio.fail_after(_CONNECT_TIMEOUT):
                    await _connect(sock, wire[2])
                self._counts["connected"] += 1
                await anyio.wait_readable(sock)
                self._counts["broken"] += 1
                self._broken(wire[2])
        except (OSError, TimeoutError):
            pass  # Not watched: no evidence of anything.
        finally:
            del self._wires[wire]
        self._pause(wire)

    def _pause(self, wire: _Wire) -> None:
        before = self._failures.get(wire)
        pause = _RETRY if before is None else min(2 * before.pause, _LONGEST_RETRY)
        self._failures[wire] = _Failure(anyio.current_time() + pause, pause)

    async def _listen(self, address: Address, scope: anyio.CancelScope) -> None:
        with scope:
            try:
                listener = _open_listener(address)
            except OSError:  # taken by something else: this node is not watched so
                self._counts["unlistened"] += 1
                # Perhaps by our own listener at all addresses, which is just going.
                await anyio.sleep(_LISTEN_AGAIN)
                self._listening.pop(address, None)
                return
            with listener:
                self._sockets.add(listener)
                await self._serve(listener)

    async def _serve(self, listener: socket.socket) -> None:
        """Hold what others connect, until cancelled."""
        held: set[socket.socket] = set()
        try:
            async with anyio.create_task_group() as tasks:
                while True:
                    await anyio.wait_readable(listener)
                    sock = _accept(listener)
                    if sock is None:
                        # The process has no descriptor left, or the peer is gone again.
                        self._counts["unaccepted"] += 1
                        await anyio.sleep(_ACCEPT_AGAIN)
                    elif self._held >= _HELD:
                        sock.close()
                    else:
                        held.add(sock)
                        self._sockets.add(sock)
                        self._held += 1
                        tasks.start_soon(self._hold, sock, held)
        finally:
            # A task that was cancelled before it began has closed nothing.
            self._held -= len(held)
            for sock in held:
                sock.close()

    async def _hold(self, sock: socket.socket, held: set[socket.socket]) -> None:
        """Wait until the other end closes, or says something: it should not."""
        await anyio.wait_readable(sock)
        held.discard(sock)
        self._held -= 1
        sock.close()


def _new_socket(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.settimeout(0)
    return sock


async def _connect(sock: socket.socket, address: Address) -> None:
    """Raises OSError if nobody takes the connection."""
    failed = sock.connect_ex(address)
    if failed == errno.EINPROGRESS:
        await anyio.wait_writable(sock)
        failed = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    else:
        await anyio.lowlevel.checkpoint()
    if failed:
        raise OSError(failed, os.strerror(failed))


def _open_listener(address: Address) -> socket.socket:
    sock = _new_socket(address)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
        sock.listen(_HELD)
    except BaseException:
        sock.close()
        raise
    return sock


def _accept(listener: socket.socket) -> socket.socket | None:
    try:
        sock, _ = listener.accept()
    except OSError:
        return None
    sock.settimeout(0)
    return sock
