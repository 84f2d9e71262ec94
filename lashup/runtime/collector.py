"""A large table, and Python's garbage collector.

The table is a million objects that stay, and a full collection looks at each of them:
0.6 s for 100,000 facts, during which nothing else runs and probes are late. A table is
no garbage. So as it grows, what is there is taken out of the collector's sight
(`gc.freeze`); what is dropped from it later is freed all the same, at once, for it has
no cycles.

It concerns the whole process: cycles of anybody's that are garbage at such a moment,
and have survived the younger generations' collection right before, stay for ever. In
a service that is small beside a table that is worth it; but it is for whoever owns the
process to say.
"""

from __future__ import annotations

import gc

#: Facts by which the table grows between two times.
STEP = 2_000


class Collector:
    """Takes a table out of the collector's sight as it grows."""

    def __init__(self) -> None:
        self._settled = 0

    def look(self, facts: int) -> None:
        """The table has so many facts now. Costs nothing but every `STEP` facts."""
        if facts < self._settled + STEP:
            return
        self._settled = facts
        gc.collect(1)
        gc.freeze()
