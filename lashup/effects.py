"""What a node wants done, and what it tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from lashup.kv.effects import ClockSkewed, Confirmed, Notify, Outdated, StoreLarge
from lashup.machine import Persist, Transmit
from lashup.membership import MemberEvent
from lashup.multicast import Delivered
from lashup.path_width import PathNarrow, PathWide


@dataclass(frozen=True, slots=True)
class Visible:
    """A local write is on disk, visible here and announced to all.

    Attributes:
        update: As `update` named it.
    """

    update: int


Effect: TypeAlias = (
    Transmit
    | Persist
    | Visible
    | Notify
    | Delivered
    | ClockSkewed
    | StoreLarge
    | Confirmed
    | Outdated
    | MemberEvent
    | PathNarrow
    | PathWide
)
