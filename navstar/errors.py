"""What navstar tells its operator when it cannot go on.

Everything here is the operator's to mend: a configuration, a file, a socket, a
right that is missing. The command line prints the text and no traceback. What
comes from other hosts never raises one of these; it is skipped, counted and shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

#: Said of a source that names no overlay. An empty file or answer is much more often a
#: mistake, or a module that has just started, than the wish to take a host out.
STAYS = (
    "what was in force stays; "
    "'navstar down --leave' takes this agent out of the cluster"
)


class NavstarError(Exception):
    """Base class. The message is for a person: what is wrong, and the way out."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with what the operator wrote.

    Attributes:
        field: Its path as the operator writes it, e.g. `lashup.bind[0]`; empty
            when the whole is meant.
        problem: What is wrong, with the value.
    """

    field: str
    problem: str

    def __str__(self) -> str:
        return f"{self.field}: {self.problem}" if self.field else self.problem


class Unusable(NavstarError):
    """A file, or an answer, has problems; all of them are listed. Nothing changed.

    Args:
        origin: The file or address that was read.
        problems: At least one.
    """

    def __init__(self, origin: str, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(f"{origin}: {problem}" for problem in problems))
        self.origin = origin
        self.problems = tuple(problems)


class ControlError(NavstarError):
    """The running daemon refused a command, or does not speak our protocol."""


class NotRunning(ControlError):
    """Nobody listens at the control socket."""
