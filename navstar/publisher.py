"""Keeps this agent's lines in the table as they should be.

What must be written is decided in `publish`; this file says when, and writes. It
looks again whenever the allocation, the table or the members change, and at times
without reason: what nobody told us of is set right then.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

import trio

from lashup import Overloaded, RunningNode, map_field
from navstar.allocation import Allocation
from navstar.line import Line
from navstar.line_codec import key_of, value_of
from navstar.publish import (
    Speaker,
    Withdraw,
    Write,
    changes,
    lines_for,
    takes_in_another,
    withdrawal_of_all,
)

#: Seconds between writes: somebody who keeps changing our lines is answered, but
#: not at the speed of the network.
REST = 0.05


@dataclass(frozen=True, slots=True)
class Speech:
    """What the publisher goes by, as of one moment.

    Attributes:
        allocation: This agent's overlays.
        speaker: This agent.
        present: Every line of the table.
        is_programmed: A pass has gone by this allocation, so that its VTEPs listen.
    """

    allocation: Allocation
    speaker: Speaker
    present: tuple[Line, ...]
    is_programmed: bool


class Publisher:
    """Writes and withdraws this agent's lines.

    Args:
        node: Of lashup.
        speech: None while it cannot be known what to say.
        on_change: Told of each write and withdrawal.
        period: Seconds between looks without reason.
    """

    def __init__(
        self,
        node: RunningNode,
        *,
        speech: Callable[[], Speech | None],
        on_change: Callable[[Write | Withdraw], None],
        period: float,
    ) -> None:
        self._node = node
        self._speech = speech
        self._on_change = on_change
        self._period = period
        self._wanted = trio.Event()
        self._is_silent = False
        self._writing = trio.Lock()

    def look(self) -> None:
        """Something changed that what we say may depend on."""
        self._wanted.set()

    async def run(self) -> None:
        """Keep the lines right, until cancelled."""
        while True:
            self._wanted = trio.Event()
            if await self._set_right():
                await trio.sleep(REST)
            with trio.move_on_after(self._period):
                await self._wanted.wait()

    async def fall_silent(
        self, present: Callable[[], Awaitable[tuple[Line, ...]]]
    ) -> int:
        """Withdraw everything this agent says, for good. Returns how many lines.

        Args:
            present: Every line of the table, as of the moment of the call.
        """
        self._is_silent = True
        # A write that is on its way would come after what takes it back.
        async with self._writing:
            withdrawn = withdrawal_of_all(await present(), node=self._node.id.hex())
            for change in withdrawn:
                await self._carry_out(change)
            return len(withdrawn)

    async def withdraw(self, lines: Iterable[Line]) -> None:
        """Take lines of an agent back that will never do it itself.

        Raises:
            LashupError: The table takes no writes now; some may have been taken back.
        """
        for line in lines:
            async with self._writing:
                await self._carry_out(Withdraw(line))

    async def _set_right(self) -> bool:
        speech = None if self._is_silent else self._speech()
        if speech is None:
            return False
        wanted = lines_for(speech.allocation, speech.speaker)
        if not speech.is_programmed and takes_in_another(wanted, speech.present):
            # The others follow the line at once; whoever sees that it is programmed
            # has us look again.
            return False
        found = changes(
            wanted, speech.present, speaker=speech.speaker, alive=self._alive(speech)
        )
        try:
            for change in found:
                async with self._writing:
                    if self._is_silent:
                        break
                    await self._carry_out(change)
        except Overloaded:
            self._wanted.set()  # The disk is behind: after the rest, again.
        return bool(found)

    def _alive(self, speech: Speech) -> set[str]:
        """Whose lines are their own business."""
        if not self._node.kv.is_synchronised:
            # We may not have heard of them yet.
            return {line.node for line in speech.present}
        return {member.id.hex() for member in self._node.live_members()}

    async def _carry_out(self, change: Write | Withdraw) -> None:
        line = change.line
        register = map_field(str(line.vtep)).register(line.node)
        match change:
            case Write():
                operation = register.assign(value_of(line))
                await self._node.kv.update(key_of(line.overlay), operation)
            case Withdraw():
                await self._node.kv.update(key_of(line.overlay), register.remove())
        self._on_change(change)
