"""One life of one node: the agent's loop, on virtual time.

It does what `lashup.runtime.agent` does, in the same order: sockets are drained
before timers, effects are carried out as they stand, rows go to disk everything that
waits at once, and the wall clock is looked at once a second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from lashup.effects import Effect, Visible
from lashup.errors import MalformedDatagram
from lashup.kv.effects import ClockSkewed, Notify
from lashup.kv.subscription import Subscription
from lashup.machine import NEVER, Address, Persist, Transmit
from lashup.membership import LinkBroken, LinkMended, MemberEvent
from lashup.multicast import Delivered
from lashup.node import Node
from simulations.latency import SECOND

if TYPE_CHECKING:
    from simulations.host import Host

#: Seconds between two looks at the wall clock.
_CLOCK_PERIOD = 1.0


class Process:
    """Drives a node from its start to its end.

    Args:
        host: Where it runs.
        node: Which.

    Attributes:
        is_paused: Whether it is stopped, as by a signal.
        is_leaving: Whether the node has said goodbye.
    """

    def __init__(self, host: Host, node: Node) -> None:
        self.node = node
        self.is_paused = False
        self.is_leaving = False
        self._host = host
        self._world = host.world
        self._is_over = False
        self._is_busy = False
        #: The node's, as it was after its last step: nothing else moves it.
        self._deadline = NEVER
        #: The deadline that the process will be woken for, and when that is.
        self._wakes_by = NEVER
        self._wake_at = -1
        self._clock_at = self._world.seconds
        self._saved_while_paused: list[Persist] = []
        #: Whether rows that nobody waits for have time left.
        self._is_patient = False
        self._on_visible: dict[int, Callable[[], None]] = {}
        self._on_change: dict[int, Callable[[], None]] = {}

    def end(self) -> None:
        """Nothing more happens: what was scheduled finds the process gone."""
        self._is_over = True

    def resume(self) -> None:
        """Go on: first what came meanwhile, then what is late."""
        self.is_paused = False
        self._drain()
        saved, self._saved_while_paused = self._saved_while_paused, []
        self._saved(saved)
        self._end_patience()

    def now(self) -> float:
        """The time; the wall clock is followed by the way, as in the agent."""
        now = self._world.seconds
        if now >= self._clock_at + _CLOCK_PERIOD:
            self._clock_at = now
            self.node.wall_offset = self._host.wall - now
        return now

    def arrived(self, data: bytes, sender: Address) -> None:
        """A datagram has come: deal with it now, or leave it in the socket's buffer."""
        inbox = self._host.inbox
        if self.is_paused or self._is_busy or inbox:
            inbox.put(data, sender)
        else:
            self._receive(data, sender)

    def when_visible(self, update: int, action: Callable[[], None]) -> None:
        """Call something once when a write of this node is visible."""
        self._on_visible[update] = action

    def when_changed(
        self, subscription: Subscription, action: Callable[[], None]
    ) -> None:
        """Call something whenever a subscription has something to take."""
        self._on_change[id(subscription)] = action

    def carry_out_own(self, effects: Sequence[Effect]) -> None:
        """Carry out what comes of a local write: its rows are facts newly minted."""
        for effect in effects:
            if type(effect) is Persist:
                self._host.witness.written(self._host, effect)
        self.carry_out(effects)

    def carry_out(self, effects: Iterable[Effect]) -> None:
        """Do what the node wants, in order; then look when it wants to be woken."""
        host = self._host
        for effect in effects:
            if type(effect) is Transmit:  # Nearly all are.
                host.sent_datagrams += 1
                host.sent_bytes += len(effect.data)
                self._world.send(host, effect.to, effect.data)
                continue
            match effect:
                case Persist():
                    self._save(effect)
                case Visible(update):
                    host.log("visible", update=update)
                    if (then := self._on_visible.pop(update, None)) is not None:
                        then()
                case Notify(subscription):
                    if action := self._on_change.get(id(subscription)):
                        action()
                case Delivered(topic, origin, payload):
                    size = len(payload)
                    host.log("delivered", topic=topic, origin=origin.hex(), size=size)
                case ClockSkewed(seconds):
                    host.log("skewed", microseconds=round(seconds * 1e6))
                case LinkBroken(fault) | LinkMended(fault):
                    host.log(
                        type(effect).__name__,
                        observer=fault.observer.hex(),
                        member=fault.member.hex(),
                    )
                case _ if isinstance(effect, MemberEvent):
                    self._tell(effect)
                case event:  # what the world does nothing about
                    host.log(type(event).__name__)
        self._settle(self.node.next_wakeup())

    def _receive(self, data: bytes, sender: Address) -> None:
        host = self._host
        try:
            effects = self.node.receive(data, sender, now=self.now())
        except MalformedDatagram:
            host.refused += 1
            effects = []
        for effect in effects:
            if type(effect) is Persist:
                host.witness.merged(host, effect)
        self.carry_out(effects)
        if host.seconds_per_datagram:
            self._is_busy = True
            self._after(host.seconds_per_datagram, self._done)

    def _done(self) -> None:
        self._is_busy = False
        if not self._is_over and not self.is_paused:
            self._drain()

    def _drain(self) -> None:
        """Take what waits in the socket's buffer, then do what has come due."""
        inbox = self._host.inbox
        while inbox and not self._is_busy:
            self._receive(*inbox.take())
        if not self._is_busy:
            self._tick()

    def _wake(self) -> None:
        if self._wake_at == self._world.now and not self._is_over:
            self._wakes_by = NEVER  # Else a later one has replaced it.
            if not self.is_paused and not self._is_busy:
                self._tick()

    def _tick(self) -> None:
        now = self.now()
        if self._deadline <= now:
            self.carry_out(self.node.tick(now=now))
        else:
            self._settle(self._deadline)

    def _settle(self, deadline: float) -> None:
        """Ask to be woken in time, and let the observers look."""
        world = self._world
        self._deadline = deadline
        if deadline < self._wakes_by:
            self._wakes_by = deadline
            self._wake_at = world.wake_time(deadline)
            world.at(self._wake_at, self._wake)
        world.stepped(self._host)

    def _save(self, persist: Persist) -> None:
        if self._host.disk.save(persist):
            self._begin_transaction()
        elif persist.within and not self._is_patient:
            self._is_patient = True
            self._after(persist.within, self._end_patience)

    def _end_patience(self) -> None:
        if self._is_over or self.is_paused:
            return
        self._is_patient = False
        if self._host.disk.hurry():
            self._begin_transaction()

    def _begin_transaction(self) -> None:
        self._after(self._host.disk.seconds, self._end_transaction)

    def _end_transaction(self) -> None:
        if self._is_over:
            return
        written, goes_on = self._host.disk.end_transaction()
        if goes_on:
            self._begin_transaction()
        if self.is_paused:
            self._saved_while_paused += written
        else:
            self._saved(written)

    def _saved(self, batch: Iterable[Persist]) -> None:
        for persist in batch:
            self._host.witness.saved(self._host, persist)
            effects = self.node.persisted(persist.ticket, now=self.now())
            if effects:
                self.carry_out_own(effects)

    def _after(self, seconds: float, action: Callable[[], None]) -> None:
        self._world.at(self._world.now + max(1, round(seconds * SECOND)), action)

    def _tell(self, event: MemberEvent) -> None:
        if isinstance(event, (LinkBroken, LinkMended)):
            return  # `carry_out` has logged it.
        member = event.member
        self._host.log(
            type(event).__name__,
            member=member.id.hex(),
            epoch=member.epoch,
            incarnation=member.incarnation,
            liveness=member.liveness.name,
        )
        self._host.witness.member_event(self._host, event)
