"""How wide the path to each member is: found by padding that the member acknowledges.

Theory of operation
-------------------
A network may silently drop datagrams that are longer than a link of the path
carries: the answer that says so (ICMP) is often filtered, and a tunnel takes its
share. Short ones pass meanwhile, so the member is well, and only what is long never
comes. So a member is sent a datagram that is padded to the full width, and with it
a bare one, and says what it got. The padded one acknowledged: the path is wide. Only
the bare one, several times in a row: the path is narrow. Neither: nothing was
learnt; the member is away, or of a version that does not know the question.

A path that is narrow is used at the least width that any path has, at once, and the
greatest that passes is then found by halving. What is too long for it goes in
fragments (outbox.py). A narrow path is tried again now and then.

What it costs is bounded: a path is tested when something long was sent on it, one
path a second, and not again within half a minute, however much follows; at rest each
node tests one path a minute, all in turn. Nothing here says that a member is down.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from lashup.errors import MalformedDatagram
from lashup.machine import NEVER, Address, NodeId, Send
from lashup.membership.schedule import phase
from lashup.path_width import PathNews, PathWidth
from lashup.view import View
from lashup.wire.frames import FRAME_OVERHEAD

#: Rounds in a row that only the bare datagram passed, until the path is narrow. At
#: a loss of 30 % each way one test in a hundred errs, and the next one mends it.
_VOTES = 4
#: Rounds in a row without any answer, until a test is given up.
_SILENT = 3
#: Seconds until a path in use is tested again.
_USED_AGAIN = 30.0
#: Seconds between the tests of two paths that are in use. In a storm (a split, a
#: thousand joining) long datagrams go everywhere, and is no time for more of them.
_USED_SPACING = 1.0
#: Seconds between two tests at rest.
_PATROL = 60.0

#: Kind, sequence number, length: of what is padded with zeros, or of what came.
_HEAD = struct.Struct(">BQH")
_TEST, _ANSWER = 1, 2


PathEffect: TypeAlias = Send | PathNews


@dataclass(slots=True)
class _Test:
    """One size that is being tried on a path; as long as it takes."""

    path: PathWidth
    size: int
    padded: int = 0
    bare: int = 0
    ends_at: float = NEVER
    bare_passed: bool = False
    votes: int = 0
    silent: int = 0


class Paths:
    """The width of the path to each member, and the tests that find it.

    Args:
        size: Bytes of one datagram, as configured.
        overhead: Bytes that the seal adds.
        patience: Seconds that an answer may take.
        epoch: Of this start: its sequence numbers are above those of earlier ones.
        me: Spreads the tests of nodes that start together.
        now: The time.

    Attributes:
        narrow: The width by address, where it is not the configured one.
    """

    def __init__(
        self,
        size: int,
        *,
        overhead: int,
        patience: float,
        epoch: int,
        me: NodeId,
        now: float,
    ) -> None:
        self.narrow: dict[Address, int] = {}
        self._size = size
        self._overhead = overhead + FRAME_OVERHEAD
        self._patience = patience
        self._paths: dict[Address, PathWidth] = {}
        self._tested_at: dict[Address, float] = {}
        self._testing: dict[Address, _Test] = {}
        #: Sequence numbers that wait for an answer.
        self._asked: dict[int, Address] = {}
        self._number = (epoch << 24) % (1 << 63)
        self._used_at = now
        self._patrol_at = now + _PATROL * phase(me)
        self._me = self._patrolled = me
        self._tests = 0

    def next_wakeup(self) -> float:
        """When `tick` has something to do."""
        if not self._testing:
            return self._patrol_at  # As nearly always; asked after every packet.
        return min(self._patrol_at, *(t.ends_at for t in self._testing.values()))

    def statistics(self) -> dict[str, int]:
        """Tests begun since the start, tests that run, and paths that are narrow."""
        return {
            "tests": self._tests,
            "testing": len(self._testing),
            "narrow": len(self.narrow),
        }

    def tick(
        self, used: Iterable[Address], *, view: View, now: float
    ) -> list[PathEffect]:
        """Begin the tests that are due, and go on with those that run.

        Args:
            used: Where datagrams longer than `LEAST_DATAGRAM` went lately.
            view: Who is there; others are not tested.
            now: The time.
        """
        effects: list[PathEffect] = []
        wanted: dict[Address, None] = {}
        if now >= self._used_at:
            due = next((to for to in used if self._is_due(to, now=now)), None)
            if due is not None:
                wanted[due] = None
                self._used_at = now + _USED_SPACING
        if now >= self._patrol_at:
            self._patrol_at = now + _PATROL
            self._forget(view)
            following = self._next_in_turn(view)
            if following is not None:
                wanted[following] = None
        for to in wanted:
            effects += self._begin(to, view=view, now=now)
        for to, test in list(self._testing.items()):
            if now >= test.ends_at:
                effects += self._round_is_over(to, test, now=now)
        return effects

    def receive_untrusted(
        self, payload: bytes, sender: Address, *, now: float
    ) -> list[PathEffect]:
        """Answer a test, or take in an answer.

        Raises:
            MalformedDatagram: Neither. Nothing has changed.
        """
        if len(payload) < _HEAD.size:
            raise MalformedDatagram(f"{len(payload)} bytes about a path")
        kind, number, size = _HEAD.unpack_from(payload)
        if kind == _TEST:
            # As long as the shortest test: nothing is gained by asking.
            return [Send(sender, _HEAD.pack(_ANSWER, number, len(payload)))]
        if kind != _ANSWER:
            return []  # A later version's.
        to = self._asked.get(number)
        test = None if to is None else self._testing.get(to)
        if to is None or test is None:
            return []
        if number == test.bare:
            test.bare_passed = True
        elif size == test.size - self._overhead:
            return self._go_on(to, test, test.path.passed(test.size), now=now)
        return []

    def _is_due(self, to: Address, *, now: float) -> bool:
        return now >= self._tested_at.get(to, -NEVER) + _USED_AGAIN

    def _next_in_turn(self, view: View) -> Address | None:
        order = view.order
        if len(order) < 2:
            return None
        place = bisect_right(order, self._patrolled) % len(order)
        if order[place] == self._me:
            place = (place + 1) % len(order)
        self._patrolled = order[place]
        return view.address_of(order[place])

    def _forget(self, view: View) -> None:
        """Keep nothing of addresses at which no member lives any more."""
        for to, path in list(self._paths.items()):
            if to not in self._testing and view.address_of(path.node) != to:
                del self._paths[to], self._tested_at[to]
                self.narrow.pop(to, None)

    def _begin(self, to: Address, *, view: View, now: float) -> list[Send]:
        node, path = view.peer_at(to), self._paths.get(to)
        if node is None or to in self._testing:
            return []
        if path is None or path.node != node:
            self.narrow.pop(to, None)
            path = self._paths[to] = PathWidth(node, to, self._size)
        self._tested_at[to] = now
        return self._try(to, path, path.size_to_test(now=now), now=now)

    def _try(
        self, to: Address, path: PathWidth, size: int, *, now: float
    ) -> list[Send]:
        self._tests += 1
        test = self._testing[to] = _Test(path, size)
        return self._ask(to, test, now=now)

    def _ask(self, to: Address, test: _Test, *, now: float) -> list[Send]:
        self._forget_numbers(test)
        self._number += 2
        test.padded, test.bare = self._number, self._number + 1
        self._asked[test.padded] = self._asked[test.bare] = to
        test.bare_passed = False
        test.ends_at = now + self._patience
        bare = _HEAD.pack(_TEST, test.bare, 0)
        padded = _HEAD.pack(_TEST, test.padded, 0).ljust(
            test.size - self._overhead, b"\0"
        )
        return [Send(to, bare), Send(to, padded)]

    def _forget_numbers(self, test: _Test) -> None:
        self._asked.pop(test.padded, None)
        self._asked.pop(test.bare, None)

    def _round_is_over(
        self, to: Address, test: _Test, *, now: float
    ) -> list[PathEffect]:
        if test.bare_passed:
            test.votes, test.silent = test.votes + 1, 0
        else:
            test.silent += 1
        if test.votes >= _VOTES:
            size = test.path.failed(test.size, now=now)
            return self._go_on(to, test, size, now=now)
        if test.silent >= _SILENT:  # What is known stays.
            self._forget_numbers(self._testing.pop(to))
            return []
        return [*self._ask(to, test, now=now)]

    def _go_on(
        self, to: Address, test: _Test, size: int | None, *, now: float
    ) -> list[PathEffect]:
        """Test the next size, or tell what was found."""
        self._forget_numbers(self._testing.pop(to))
        width = test.path.narrow
        if width is None:
            self.narrow.pop(to, None)
        else:
            self.narrow[to] = width
        if size is None:
            return [*test.path.news()]
        return [*self._try(to, test.path, size, now=now)]
