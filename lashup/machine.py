"""The contract between the protocol machines and whatever drives them.

A machine takes bytes, calls and the time, and returns effects: data that says
what is to be done. It never does one itself. `lashup.runtime` carries effects
out with sockets, a disk and a clock, `simulations` with a heap.

`now` is in seconds on any clock that never goes back; only differences matter.
Each machine folds everything it waits for into one value, `next_wakeup()`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NewType, Protocol, TypeAlias, TypeVar

#: Sixteen random bytes, kept in the data directory: who a node is, wherever it is.
NodeId = NewType("NodeId", bytes)

#: IP address literal and UDP port.
Address: TypeAlias = tuple[str, int]

#: A deadline that never comes.
NEVER = float("inf")

EffectT_co = TypeVar("EffectT_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Send:
    """A machine wants a message sent. Best effort: a loss is the protocol's problem.

    The payload is not sealed yet; the node puts the machine's channel in front.
    """

    to: Address
    payload: bytes


@dataclass(frozen=True, slots=True)
class Transmit:
    """Put one sealed datagram on the network."""

    to: Address
    data: bytes


@dataclass(frozen=True, slots=True)
class Persist:
    """Make rows durable, all of them or none, in the order of the effects.

    A table maps bytes to bytes. Deletes are carried out before puts. When the
    rows are on disk the driver calls `persisted(ticket, ...)` of the node; what
    others may see only then is in the effects that this call returns.

    Attributes:
        ticket: Names this effect; rises by one with each.
        puts: (table, key, value).
        deletes: (table, key). A row that is not there is no error.
        within: Seconds that it may wait for others to go with it. 0: somebody waits.
    """

    ticket: int
    puts: tuple[tuple[str, bytes, bytes], ...] = ()
    deletes: tuple[tuple[str, bytes], ...] = ()
    within: float = 0.0


class Machine(Protocol[EffectT_co]):
    """A protocol endpoint without sockets, clocks or tasks."""

    def next_wakeup(self) -> float:
        """The time by which `tick` must be called. A late call is safe."""
        ...

    def tick(self, *, now: float) -> Sequence[EffectT_co]:
        """Do whatever has come due by `now`."""
        ...

    def receive(
        self, data: bytes, sender: Address, *, now: float
    ) -> Sequence[EffectT_co]:
        """Take in one datagram.

        Raises:
            MalformedDatagram: Nothing has changed.
        """
        ...
