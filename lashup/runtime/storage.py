"""What a node asks of its disk: tables of bytes, and batches that hold or do not.

`Storage` is blocking; the agent calls it from one worker thread at a time. There
are two: `SqliteStorage` for a node that comes back, `MemoryStorage` for one that
does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias

from lashup.errors import UsageError
from lashup.machine import Persist

#: The tables there are. Rows of one another never depend on their order.
TABLES = ("fact", "context", "meta", "member")

#: All rows: table, key, value.
Rows: TypeAlias = dict[str, dict[bytes, bytes]]


class Storage(Protocol):
    """Rows that survive, of one node."""

    def load(self) -> Rows:
        """All rows that were committed, every table of `TABLES` included.

        Raises:
            StorageError: The disk does not give them back.
        """
        ...

    def commit(self, batch: Sequence[Persist]) -> None:
        """Make a batch durable: one transaction, on the disk when this returns.

        Raises:
            StorageError: Nothing of the batch is on disk. The message says whether
                trying again can help.
            UsageError: A table that does not exist. Nothing has changed.
        """
        ...

    def close(self) -> None:
        """Let go of the files. Once more does nothing."""
        ...


def outcome(batch: Sequence[Persist]) -> Mapping[str, Mapping[bytes, bytes | None]]:
    """What a batch leaves behind, per table: the last value of a key, None for gone.

    Each `Persist` deletes before it puts, and a later one overrides an earlier.

    Raises:
        UsageError: A table that does not exist.
    """
    tables: dict[str, dict[bytes, bytes | None]] = {table: {} for table in TABLES}
    try:
        for persist in batch:
            for table, key in persist.deletes:
                tables[table][key] = None
            for table, key, value in persist.puts:
                tables[table][key] = value
    except KeyError as error:
        raise UsageError(f"there is no table {error}, only {TABLES}") from error
    return tables
