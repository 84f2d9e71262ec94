"""What can stop a lab, each with the way out."""

from __future__ import annotations

from navstar.errors import NavstarError


class LabError(NavstarError):
    """The lab cannot do what was asked.

    Args:
        problem: What is wrong, naming the thing.
        way_out: What the reader can do about it: a command, where there is one.
    """

    def __init__(self, problem: str, way_out: str = "") -> None:
        super().__init__(f"{problem}\n{way_out}" if way_out else problem)
        self.problem = problem
        self.way_out = way_out


class StaleLab(LabError):
    """Something of an earlier lab with this prefix is still there. Nothing was made."""


class NoSuchLab(LabError):
    """No lab with this prefix is up."""


class MissingSystemPart(LabError):
    """This host lacks a right, a kernel module or a kernel setting."""


class NameTaken(LabError):
    """There is a network namespace of that name already. It is left as it is."""


class AgentFailed(LabError):
    """A navstar process ended, or did not get where it should in time."""
