"""Two flags, which differ in who wins: the one that enables, or the one that disables.

              enable-wins flag            disable-wins flag
    fact      empty                       empty
    read      enabled: any live fact      enabled: no live fact
    enable    drop those seen, add one    drop those seen
    disable   drop those seen             drop those seen, add one

The side that adds a fact wins against the other when both act at once: its dot is new
to the one that only drops. What was never written, or was removed with the map around
it, reads as the side that adds nothing: disabled where enabling wins, and enabled where
disabling wins.
"""

from __future__ import annotations

from dataclasses import dataclass

from lashup.crdt.branch import Branch
from lashup.crdt.fact import Path
from lashup.crdt.writer import Remove, Writer


@dataclass(frozen=True, slots=True)
class EnableWinsField:
    """An enable-wins flag's place in a key."""

    path: Path

    def enable(self) -> Raise:
        """The operation that enables it, also against a concurrent `disable`."""
        return Raise(self.path)

    def disable(self) -> Remove:
        """The operation that takes back every `enable` seen."""
        return Remove(self.path)


@dataclass(frozen=True, slots=True)
class DisableWinsField:
    """A disable-wins flag's place in a key."""

    path: Path

    def disable(self) -> Raise:
        """The operation that disables it, also against a concurrent `enable`."""
        return Raise(self.path)

    def enable(self) -> Remove:
        """The operation that takes back every `disable` seen."""
        return Remove(self.path)


@dataclass(frozen=True, slots=True)
class Raise:
    """Put the one fact of a flag that wins."""

    path: Path

    def apply(self, writer: Writer) -> None:
        """Drop what was seen, add one fact."""
        writer.drop(self.path)
        writer.put(self.path, b"")


def is_raised(branch: Branch | None) -> bool:
    """Whether a flag has the fact that wins."""
    return branch is not None and bool(branch.leaves)
