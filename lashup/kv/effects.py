"""What a replica wants done, and what it tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from lashup.crdt.facts import Delta
from lashup.kv.rows import Rows
from lashup.kv.subscription import Subscription
from lashup.kv.write import Write
from lashup.machine import Send


@dataclass(frozen=True, slots=True)
class Save:
    """Put rows on disk. With a write, call `committed` once they are there."""

    rows: Rows
    write: Write | None


@dataclass(frozen=True, slots=True)
class SaveNow:
    """Somebody waits for what waits for the disk, wherever it came from."""


@dataclass(frozen=True, slots=True)
class Announce:
    """Carry a delta of this node's own to every member."""

    delta: Delta


@dataclass(frozen=True, slots=True)
class Stopped:
    """This node was stopped for long: what it has not announced yet is not to be.

    Others may have forgotten what it was written over; they get it by reconciliation.
    """


@dataclass(frozen=True, slots=True)
class Notify:
    """A subscription has something to take that it had not before."""

    subscription: Subscription


@dataclass(frozen=True, slots=True)
class ClockSkewed:
    """A write's timestamp is further ahead of our clock than is followed.

    The write is kept as it is; either its author's clock or ours is wrong. Told once a
    minute at most, and counted each time (`kv_clock_skews`).

    Attributes:
        seconds: By how much it exceeds the permitted skew.
    """

    seconds: float


@dataclass(frozen=True, slots=True)
class StoreLarge:
    """The table has more facts than `Limits.store_warning`.

    Told once, and again after it was a tenth below that.

    Attributes:
        facts: How many there are.
        limit: `Limits.store`, where this node stops adding.
    """

    facts: int
    limit: int


@dataclass(frozen=True, slots=True)
class Confirmed:
    """One more member has a write that is waited for."""


@dataclass(frozen=True, slots=True)
class Outdated:
    """This node was off for so long that what it alone still had has been dropped.

    The others may have removed it and forgotten that (`NodeConfig.retire_after`).
    What this life has written stays. What was dropped is kept in the data directory:
    `python -m lashup dump --dropped` makes a dump of it.

    Attributes:
        facts: How many were dropped.
    """

    facts: int


KvEffect: TypeAlias = (
    Send
    | Save
    | SaveNow
    | Announce
    | Stopped
    | Notify
    | ClockSkewed
    | StoreLarge
    | Confirmed
    | Outdated
)
