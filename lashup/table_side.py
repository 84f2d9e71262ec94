"""The table of a node, between the disk, the members and whoever writes.

A local write is put on disk (`Persist`), and when the driver says that it is there
(`persisted`) it becomes visible and is announced by multicast, at once or together with
those close behind it (`announcements`). The table's own messages leave by its channel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from lashup.channels import TABLE_TOPIC, Channel
from lashup.crdt.facts import Delta
from lashup.crdt.field import Key
from lashup.crdt.token import Token
from lashup.crdt.writer import Operation
from lashup.effects import Effect, Visible
from lashup.kv import messages
from lashup.kv.announcements import Announcements
from lashup.kv.confirmation import Wait, check_wait
from lashup.kv.delta_codec import encode_delta
from lashup.kv.effects import (
    Announce,
    ClockSkewed,
    Confirmed,
    KvEffect,
    Notify,
    Outdated,
    Save,
    SaveNow,
    Stopped,
    StoreLarge,
)
from lashup.kv.replica import Replica
from lashup.machine import Address, Send
from lashup.multicast import Multicast
from lashup.outbox import Outbox
from lashup.savings import Savings
from lashup.traffic import Traffic
from lashup.view import View
from lashup.waits import Waits


class TableSide:
    """What becomes of what the table wants, and who waits for its writes.

    Args:
        kv: The table.
        outbox: Where its messages are put.
        savings: Knows which write waits for which rows.
        multicast: Carries what it announces.
        view: The members.
        room: Says how many bytes of a datagram a delta may take.
    """

    def __init__(
        self,
        kv: Replica,
        *,
        outbox: Outbox,
        savings: Savings,
        multicast: Multicast,
        view: View,
        room: Callable[[], int],
    ) -> None:
        self.waits = Waits(kv.confirmations, view)
        kv.confirmations.peers = view.peers
        self._kv = kv
        self._outbox = outbox
        self._savings = savings
        self._multicast = multicast
        self._view = view
        self._traffic = Traffic(messages.KIND_NAMES)
        self._announcements = Announcements(room=room)
        self._update = 0

    def next_wakeup(self) -> float:
        """The time by which `tick` must be called. A late call is safe."""
        return min(self._kv.next_wakeup(), self._announcements.next_wakeup())

    def update(
        self,
        key: Key,
        operations: Iterable[Operation],
        *,
        wall: float,
        expect: Token | None,
        wait: Wait | None,
    ) -> tuple[int, Effect]:
        """Write one key; see `Node.update`."""
        if wait is not None:
            check_wait(wait)
        save = self._kv.update(key, operations, wall=wall, expect=expect)
        self._update += 1
        if wait is not None:
            self.waits.begin(self._update, wait)
        return self._update, self._savings.write(save, self._update)

    def load(
        self, delta: Delta, *, as_of: int | None, now: float, wall: float
    ) -> tuple[int, list[Effect]]:
        """Join a part of a dump; see `Node.load`."""
        self._update += 1
        effects: list[Effect] = []
        outcome = self._kv.load_dump(delta, as_of=as_of, wall=wall)
        saves = [effect for effect in outcome if isinstance(effect, Save)]
        # In their order; the last one's being there is all of them being there.
        effects += [self._savings.rows(save) for save in saves[:-1]]
        effects += [self._savings.write(save, self._update) for save in saves[-1:]]
        rest = [effect for effect in outcome if not isinstance(effect, Save)]
        self.take(rest, effects, now=now)
        if not saves:
            effects.append(Visible(self._update))
        return self._update, effects

    def persisted(self, ticket: int, effects: list[Effect], *, now: float) -> None:
        """The rows of a ticket are on disk: what waited for them is visible."""
        if (saving := self._savings.take(ticket)) is None:
            return
        if saving.write is not None:
            outcome = self._kv.committed(saving.write)
            if isinstance(outcome, Save):  # The same write, under another actor.
                effects.append(self._savings.write(outcome, saving.update))
                return
            self.take(outcome, effects, now=now)
            if saving.update in self.waits:
                self.announce(now=now)
                asks = self._kv.confirmations.begin(
                    saving.update, saving.write.delta, now=now
                )
                self.take(asks, effects, now=now)
        effects.append(Visible(saving.update))

    def look_at_clocks(self, effects: list[Effect], *, now: float, wall: float) -> None:
        """See whether this node was stopped: before anything else that is done."""
        self.take(self._kv.look_at_clocks(now=now, wall=wall), effects, now=now)

    def tick(self, effects: list[Effect], *, now: float, wall: float) -> None:
        """Do whatever has come due by `now`."""
        self._tell(self._announcements.tick(now=now), now=now)
        self.take(self._kv.tick(now=now, wall=wall), effects, now=now)

    def announce(self, *, now: float) -> None:
        """Tell the others all that was written, without waiting for more of it."""
        self._tell(self._announcements.take(now=now), now=now)

    def receive_untrusted(
        self,
        payload: bytes,
        sender: Address,
        effects: list[Effect],
        *,
        now: float,
        wall: float,
    ) -> None:
        """Take in one message of the table's channel.

        Raises:
            MalformedDatagram: It is none. Nothing has changed but a count.
        """
        self._traffic.received(messages.kind_of(payload), len(payload))
        burst = self._view.burst_for(sender)
        heard = self._kv.receive_untrusted(
            payload, sender, now=now, wall=wall, burst=burst
        )
        self.take(heard, effects, now=now)

    def hear_announced_untrusted(
        self, payload: bytes, effects: list[Effect], *, now: float, wall: float
    ) -> None:
        """Somebody has announced a write.

        Raises:
            MalformedDatagram: It is none. Nothing has changed.
        """
        heard = self._kv.hear_announced_untrusted(payload, now=now, wall=wall)
        self.take(heard, effects, now=now)

    def take(
        self, outcome: Iterable[KvEffect], effects: list[Effect], *, now: float
    ) -> None:
        """Pass on what the table wants: into the outbox, or to `effects`."""
        for effect in outcome:
            match effect:
                case Send(to, payload):
                    self._traffic.sent(messages.kind_of(payload), len(payload))
                    self._outbox.put(to, Channel.KV, payload)
                case Announce() if self._view.is_alone:
                    pass  # Whoever comes gets it by reconciliation.
                case Announce(delta):
                    self._tell(self._announcements.put(delta, now=now), now=now)
                case Stopped():
                    self._announcements.drop()
                case SaveNow():
                    effects.append(self._savings.now())
                case Save():
                    effects.append(self._savings.rows(effect))
                case Notify() | ClockSkewed() | StoreLarge() | Confirmed() | Outdated():
                    effects.append(effect)

    def _tell(self, deltas: Iterable[Delta], *, now: float) -> None:
        for delta in deltas:
            payload = encode_delta(delta)
            for send in self._multicast.send(
                TABLE_TOPIC, payload, view=self._view, now=now
            ):
                self._outbox.put(send.to, Channel.MULTICAST, send.payload)

    def statistics(self) -> dict[str, int | float]:
        """Plain numbers of the table and of its messages."""
        return {
            **self._kv.statistics(),
            **self._announcements.statistics(),
            **self._traffic.statistics(),
        }
