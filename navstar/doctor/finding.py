"""What a check of the host found."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Level(enum.Enum):
    """How bad it is."""

    #: Containers do not reach each other.
    FAULT = "fault"
    #: They do, until something happens that does happen.
    WARNING = "warning"
    #: Worth knowing; nothing to mend.
    REMARK = "remark"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be.

    Attributes:
        check: Which check found it.
        level: How bad it is.
        problem: What is so, with the value.
        cost: What it costs.
        remedy: The command that mends it, or what to do.
    """

    check: str
    level: Level
    problem: str
    cost: str
    remedy: str
