"""A host's disk: rows that survive, transactions that take time, and old copies.

Everything that waits goes in one transaction, like in the agent; rows that nobody waits
for begin none of their own before their time is up. A crash in the middle of one leaves
all of it or nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import TypeAlias

from lashup.machine import Persist

#: Table, key, value.
Tables: TypeAlias = dict[str, dict[bytes, bytes]]


class Disk:
    """The rows of one host.

    Args:
        seconds: What a transaction takes.
    """

    def __init__(self, *, seconds: float) -> None:
        self.seconds = seconds
        self._tables: Tables = {}
        self._waiting: list[Persist] = []
        self._writing: list[Persist] = []
        #: Whether somebody waits for something of what waits, or its time is up.
        self._is_urgent = False

    @property
    def waiting(self) -> int:
        """How many effects wait for a transaction, or are in one."""
        return len(self._waiting) + len(self._writing)

    def tables(self) -> Tables:
        """A copy of all rows."""
        return {table: dict(rows) for table, rows in self._tables.items()}

    def holds(self, table: str, key: bytes) -> bool:
        """Whether there is such a row."""
        return key in self._tables.get(table, {})

    def restore(self, tables: Mapping[str, Mapping[bytes, bytes]]) -> None:
        """Put back what `tables` once returned: a backup, or a cloned disk."""
        self._tables = {table: dict(rows) for table, rows in tables.items()}

    def save(self, persist: Persist) -> bool:
        """Take an effect. True if a transaction begins: it ends after `seconds`."""
        self._waiting.append(persist)
        self._is_urgent |= not persist.within
        return self._begin()

    def hurry(self) -> bool:
        """What waits can wait no longer. True if a transaction begins."""
        self._is_urgent = bool(self._waiting)
        return self._begin()

    def end_transaction(self) -> tuple[Sequence[Persist], bool]:
        """What is on disk now, and whether another transaction begins."""
        written, self._writing = self._writing, []
        self.commit(written)
        return written, self._begin()

    def commit(self, batch: Sequence[Persist]) -> None:
        """Put rows on disk at once."""
        for persist in batch:
            for table, key in persist.deletes:
                self._tables.get(table, {}).pop(key, None)
            for table, key, value in persist.puts:
                self._tables.setdefault(table, {})[key] = value

    def crash(self, *, rng: Random) -> None:
        """The power goes: what waits is lost, what is being written maybe."""
        if self._writing and rng.random() < 0.5:
            self.commit(self._writing)
        self._waiting, self._writing = [], []
        self._is_urgent = False

    def _begin(self) -> bool:
        if self._writing or not self._is_urgent:
            return False
        self._writing, self._waiting = self._waiting, []
        self._is_urgent = False
        return True
