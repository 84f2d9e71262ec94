"""Where this agent's allocation comes from.

A source runs until it is cancelled and sends a `Reading` whenever what it has to
say has changed: a checked `Allocation`, or a `Fault` while the last allocation
stays in force. Before the first allocation nothing is known, which is not the
same as an allocation without overlays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeAlias

import trio

from navstar.allocation import Allocation


@dataclass(frozen=True, slots=True)
class Fault:
    """The source cannot be read, or what it says cannot be used as a whole.

    Attributes:
        reason: For the operator; one problem per line.
    """

    reason: str


Reading: TypeAlias = Allocation | Fault


@dataclass(slots=True)
class Tally:
    """What reading a source came to since the start, for whoever watches it.

    Attributes:
        reads: How often it was read.
        failed: How many of them gave a fault.
        seconds: What all took together.
    """

    reads: int = 0
    failed: int = 0
    seconds: float = 0.0

    def note(self, seconds: float) -> None:
        """It was read once more."""
        self.reads += 1
        self.seconds += seconds


class Source(Protocol):
    """What the daemon needs of a source."""

    #: For the operator, e.g. the path of the file.
    origin: str
    #: Kept by the source alone.
    tally: Tally

    async def run(self, readings: trio.MemorySendChannel[Reading]) -> None:
        """Send readings, each different from the one before, until cancelled."""
        ...
