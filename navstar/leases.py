"""Whose lines go because their agent has been dead for too long.

Theory of operation. Death of an agent is not death of its containers, so its lines
stay until an operator says otherwise (`navstar forget`), or has said so beforehand:
`[reconcile] lease`. An agent's lease runs from the moment at which this one first saw
it dead, and ends when it lives again. One agent takes the lines back, that with the
least id of those alive; each further one waits a `TURN` longer, for a thousand that do
it at once would be a thousand writes of one thing.

Who sees less than half of the agents alive may be the one that is cut off, and who was
stopped does not know who came back meanwhile. Then no lease runs, and all begin anew
when it hears the others again. Two halves of a network
that is cut through its middle take each other's lines back; when it is whole again,
each agent publishes its own anew, as always.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

import trio

from lashup import LashupError
from navstar.beat import next_beat
from navstar.hearing import LOOK_PERIOD

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from lashup import RunningNode
    from navstar.line import Line
    from navstar.line_table import LineTable
    from navstar.publisher import Publisher

#: Seconds: a withdrawal reaches everybody within one or two.
TURN = 5.0
#: Seconds between two looks after which it is not known who was dead all the time.
_LONGEST_GAP = 10 * LOOK_PERIOD


class Leases:
    """Since when other agents are dead, as one agent sees it."""

    def __init__(self) -> None:
        self._dead_since: dict[str, float] = {}
        self._looked_at = math.inf

    def ended(
        self,
        agents: AbstractSet[str],
        alive: AbstractSet[str],
        *,
        me: str,
        lease: float,
        now: float,
    ) -> frozenset[str]:
        """Whose lines this agent should take back now.

        Args:
            agents: Ids of those that have lines.
            alive: Ids of the nodes that live, this one included.
            me: This agent's id.
            lease: Seconds.
            now: Seconds, of any clock that never goes back.
        """
        looked_at, self._looked_at = self._looked_at, now
        dead, living = agents - alive, agents & alive
        was_stopped = now > looked_at + _LONGEST_GAP
        if was_stopped or is_cut_off(agents, alive):
            self._dead_since = {}
            return frozenset()
        self._dead_since = {one: self._dead_since.get(one, now) for one in dead}
        patience = lease + TURN * sum(one < me for one in living)
        return frozenset(
            one for one, since in self._dead_since.items() if now >= since + patience
        )


def is_cut_off(agents: AbstractSet[str], alive: AbstractSet[str]) -> bool:
    """Whether who sees so many alive, of those that have lines, may itself be away."""
    return len(agents - alive) > len(agents & alive)


async def follow_leases(
    node: RunningNode,
    table: LineTable,
    publisher: Publisher,
    *,
    lease: Callable[[], float],
    log: FilteringBoundLogger,
) -> None:
    """Take back the lines of agents that have been dead for too long, until cancelled.

    Args:
        node: Of lashup.
        table: The lines of all agents.
        publisher: Takes lines back.
        lease: As configured now.
        log: Told of each agent that is given up.
    """
    leases = Leases()
    while True:
        lines: list[Line] = []
        if lease():
            # A look at a thousand agents costs something, and mostly none is set.
            ended = _ended(leases, node, table, lease())
            lines = [line for line in table.lines if line.node in ended]
        else:
            leases = Leases()
        for name in sorted({line.name for line in lines}):
            log.warning("an agent's lease has run out", agent=name)
        try:
            await publisher.withdraw(lines)
        except LashupError as error:
            log.warning("lines cannot be withdrawn now", why=str(error))
        await next_beat(LOOK_PERIOD)


def _ended(
    leases: Leases, node: RunningNode, table: LineTable, lease: float
) -> frozenset[str]:
    me = node.id.hex()
    return leases.ended(
        {line.node for line in table.lines},
        {member.id.hex() for member in node.live_members()} | {me},
        me=me,
        lease=lease,
        now=trio.current_time(),
    )
