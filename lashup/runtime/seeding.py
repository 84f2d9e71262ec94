"""Seeds from a source that may say something else tomorrow: it is asked again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias

import anyio

from lashup.config import check_addresses
from lashup.errors import NodeClosed
from lashup.machine import Address
from lashup.runtime.threads import run_in_thread

#: Seconds between two looks at a source, while this node is alone.
SEED_PERIOD = 5.0

#: Names some members to join by: from a file, the DNS, a cloud's list of hosts. It is
#: called in a thread, and may block.
SeedSource: TypeAlias = Callable[[], Iterable[Address]]


@dataclass(frozen=True, slots=True)
class SeedsUnread:
    """The source of the seeds cannot be read now; told once for each problem.

    What it said before still counts, and it is asked again.

    Attributes:
        problem: What it raised.
    """

    problem: str


class Seeding:
    """Asks a source for seeds, at the start and again while this node is alone.

    Args:
        source: Asked.
        is_alone: Whether no other member is live.
        join: Takes the seeds that count from now on.
        tell: Takes `SeedsUnread`.
    """

    def __init__(
        self,
        source: SeedSource,
        *,
        is_alone: Callable[[], bool],
        join: Callable[[Iterable[Address]], Awaitable[None]],
        tell: Callable[[SeedsUnread], None],
    ) -> None:
        self._source = source
        self._is_alone = is_alone
        self._join = join
        self._tell = tell
        self._problem = ""

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            if self._is_alone():
                await self._look()
            await anyio.sleep(SEED_PERIOD)

    async def _look(self) -> None:
        try:
            found = await run_in_thread(
                lambda: tuple(self._source()), abandon_on_cancel=True
            )
            check_addresses("seeds", found)
        except Exception as error:  # a user's code
            problem = f"{type(error).__name__}: {error}"
            if problem != self._problem:
                self._problem = problem
                self._tell(SeedsUnread(problem))
            return
        self._problem = ""
        # Each time: somebody may have given other seeds meanwhile, or lost them.
        with suppress(NodeClosed):
            await self._join(found)
