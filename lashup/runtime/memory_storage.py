"""Storage for tests and for nodes that never come back."""

from __future__ import annotations

from collections.abc import Sequence

from lashup.machine import Persist
from lashup.runtime.storage import TABLES, Rows, outcome


class MemoryStorage:
    """Rows that live as long as this object, `close` or not.

    A node that starts on one that another has used comes back as that node.
    """

    def __init__(self) -> None:
        self._rows: Rows = {table: {} for table in TABLES}

    def load(self) -> Rows:
        """A copy of all rows."""
        return {table: dict(rows) for table, rows in self._rows.items()}

    def commit(self, batch: Sequence[Persist]) -> None:
        """Take a batch over, all of it.

        Raises:
            UsageError: A table that does not exist. Nothing has changed.
        """
        for table, changes in outcome(batch).items():
            rows = self._rows[table]
            for key, value in changes.items():
                if value is None:
                    rows.pop(key, None)
                else:
                    rows[key] = value

    def close(self) -> None:
        """Nothing to let go of."""
