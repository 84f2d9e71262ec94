"""Verbs for tests of many days: replicas that are on and off, and meet every day."""

from __future__ import annotations

import random
from collections.abc import Iterable

from lashup.crdt import Dot, MapField
from lashup.crdt.writer import Operation
from lashup.kv.absence import DAY
from lashup.kv.rider import Rider
from lashup.machine import Address
from tests.kv.vocabulary import WALL, Message, Network, Peer, are_equal
from tests.vocabulary import KEY

ROOT = MapField()
#: Days after which these forget.
AFTER = 7


class Days:
    """Some replicas, day by day.

    Attributes:
        peers: On and off.
        on: Which of them are on.
        stopped: Which of those that are not have only been stopped, each with what
            others had just said of themselves, and with what was announced since.
        day: The present one, from the first, which is 0.
    """

    def __init__(self, count: int, *, after: int = AFTER) -> None:
        self.peers = [Peer(n, retire_after=after) for n in range(count)]
        self.on = set(range(count))
        self.stopped: dict[int, tuple[list[tuple[Address, Rider]], list[Message]]] = {}
        self.day = 0
        for number in list(self.on):
            self.switch_off(number)
            self.switch_on(number)

    @property
    def running(self) -> list[Peer]:
        return [self.peers[number] for number in sorted(self.on)]

    def stop(self, number: int) -> None:
        """Stop the process of one; what comes to its socket stays there."""
        self.on.discard(number)
        riders = [(peer.address, peer.replica.rider) for peer in self.running]
        self.stopped[number] = riders, []

    def resume(self, number: int) -> None:
        """Let one go on that was stopped: first with what its socket has kept."""
        riders, announced = self.stopped.pop(number)
        self.on.add(number)
        peer = self.peers[number]
        wall = self.wall + peer.clock_error
        peer.take(peer.replica.look_at_clocks(now=self.now, wall=wall))
        for address, rider in riders:
            peer.replica.hear_rider(rider, address, now=self.now)
        for message in announced:
            peer.hear(message, now=self.now)
        peer.tick(now=self.now)
        peer.sync_disk()

    def switch_off(self, number: int) -> None:
        self.on.discard(number)
        self.stopped.pop(number, None)
        self.peers[number].outgoing.clear()

    def switch_on(self, number: int) -> None:
        self.on.add(number)
        self.stopped.pop(number, None)
        peer = self.peers[number]
        peer.start(wall=self.wall + peer.clock_error)
        peer.tick(now=self.now)
        peer.sync_disk()

    def restart(self, number: int) -> None:
        self.switch_off(number)
        self.switch_on(number)

    @property
    def now(self) -> float:
        return self.day * DAY

    @property
    def wall(self) -> float:
        return WALL + self.now

    def write(
        self, number: int, *operations: Operation, heard_by: Iterable[int] = ()
    ) -> None:
        """Write on one that is on; of the others only some hear it at once."""
        others = (self.on | self.stopped.keys()).intersection(heard_by) - {number}
        for other in others:  # Whom it can tell something it has heard of.
            self.peers[number].hear_digest_of(self.peers[other], now=self.now)
        peer = self.peers[number]
        peer.write(*operations, wall=self.wall + peer.clock_error)
        peer.sync_disk()
        said = peer.said()
        announced = [message for message in said if message[0] is None]
        for other in others:
            if other in self.stopped:
                self.stopped[other][1].extend(announced)
                continue
            for message in announced:
                self.peers[other].hear(message, now=self.now)
            self.peers[other].sync_disk()

    def meet(self, *, in_full: bool = False, strict: bool = True) -> None:
        """All that are on meet until all have the same facts.

        Args:
            in_full: Until their contexts are equal, too. What one remembers of
                removals, another may have forgotten the day before.
            strict: They must be equal in the end.
        """
        network = Network(*self.running, rng=random.Random(self.day))
        network.now = self.now
        # Also those that are equal probe each other, every second.
        for one in self.running:
            for other in self.running:
                if other is not one:
                    one.hear_digest_of(other, now=self.now)
        are_equal = network.run(
            until=lambda: self.are_equal if in_full else self.agree, seconds=120
        )
        assert are_equal or not strict

    @property
    def agree(self) -> bool:
        facts = [dict(iter(peer.store.facts)) for peer in self.running]
        return all(one == facts[0] for one in facts)

    @property
    def are_equal(self) -> bool:
        return are_equal(*self.running)

    def pass_days(self, days: int) -> None:
        """They meet, and meet again on each of some days that follow.

        Where all have been off for days, one that was off for longer waits for a day.
        """
        self.meet(strict=False)
        for day in range(days):
            self.pass_a_day()
            self.meet(strict=day > 0)

    def pass_a_day(self) -> None:
        """Let all that are on run into the next day."""
        for number in self.on:
            self.run_alone(number)
        self.day += 1

    def run_alone(self, number: int) -> None:
        """Let one run through the present day, and into the next."""
        for hour in range(6, 25, 6):  # More at once would be a stop.
            self.peers[number].tick(now=self.now + hour * 3_600)
            self.peers[number].sync_disk()

    def actors(self, number: int) -> int:
        return len(self.peers[number].store.facts.context)

    def live(self, number: int) -> set[Dot]:
        return {dot for dot, _ in self.peers[number].store.facts}

    def value(self, number: int) -> object:
        return self.peers[number].view(KEY).plain()
