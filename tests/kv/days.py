"""Verbs for tests of many days: replicas that are on and off, and meet every day."""

from __future__ import annotations

import random
from collections.abc import Iterable

from lashup.crdt import Dot, MapField
from lashup.crdt.writer import Operation
from lashup.kv.absence import DAY
from tests.kv.vocabulary import WALL, Network, Peer, are_equal
from tests.vocabulary import KEY

ROOT = MapField()
#: Days after which these forget.
AFTER = 7


class Days:
    """Some replicas, day by day.

    Attributes:
        peers: On and off.
        on: Which of them are on.
        day: The present one, from the first, which is 0.
    """

    def __init__(self, count: int, *, after: int = AFTER) -> None:
        self.peers = [Peer(n, retire_after=after) for n in range(count)]
        self.on = set(range(count))
        self.day = 0
        for number in list(self.on):
            self.switch_off(number)
            self.switch_on(number)

    @property
    def running(self) -> list[Peer]:
        return [self.peers[number] for number in sorted(self.on)]

    def switch_off(self, number: int) -> None:
        self.on.discard(number)
        self.peers[number].outgoing.clear()

    def switch_on(self, number: int) -> None:
        self.on.add(number)
        peer = self.peers[number]
        peer.start(wall=self.wall)
        peer.tick(now=self.now, wall=self.wall)
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
        self.peers[number].write(*operations, wall=self.wall)
        self.peers[number].sync_disk()
        said = self.peers[number].said()
        announced = [message for message in said if message[0] is None]
        for other in self.on.intersection(heard_by) - {number}:
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
            self.day += 1
            for peer in self.running:
                peer.tick(now=self.now, wall=self.wall)
                peer.sync_disk()
            self.meet(strict=day > 0)

    def actors(self, number: int) -> int:
        return len(self.peers[number].store.facts.context)

    def live(self, number: int) -> set[Dot]:
        return {dot for dot, _ in self.peers[number].store.facts}

    def value(self, number: int) -> object:
        return self.peers[number].view(KEY).plain()
