"""Anti-entropy: the store is made equal to a peer's, by what differs.

Theory of operation
-------------------
Every probe and ack carries the sender's digest. Unequal digests start an exchange
with that peer, one at a time: a walk (`reconcile`) finds the actors that differ,
requests ask for what is missing of them, a few at a time, and each datagram that
comes back is a delta to be joined. The peer does the same in its own time, so each
side only ever pulls.

While deltas are on their way digests differ all the time, so a difference is given
`SETTLE` seconds to go away; not so before the first synchronisation.

A request whose parts do not all come is sent again, with the contexts as they are
then; after a few times the peer is given up, and the next unequal digest starts anew.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from lashup.crdt.causal_context import within
from lashup.crdt.dot import COUNTER_LIMIT, Actor
from lashup.crdt.facts import Delta, FactSet
from lashup.kv.messages import (
    MOST_WANTS,
    Answer,
    Ask,
    Part,
    Request,
    encode,
)
from lashup.kv.serving import Want, serve
from lashup.machine import NEVER, Address, Send
from lashup.reconcile import Summary, Walk

#: Seconds that a difference may be a delta on its way: longer than a multicast takes.
SETTLE = 0.25
#: Seconds without an answer before a question is asked again; doubled each time.
RETRY_AFTER = 0.3
#: How often a request is sent in all before the peer is given up.
ATTEMPTS = 5
#: Requests on their way at a time: each brings at most a burst of datagrams.
WINDOW = 3
#: Bytes of runs in one request, beyond which it takes no further actor.
_REQUEST_BYTES = 900
#: Bytes of one run in a request, about.
_RUN_BYTES = 10


@dataclass(slots=True)
class _Pending:
    """A request on its way."""

    wants: tuple[tuple[Actor, int], ...]
    repeat_at: float
    attempts: int
    parts: set[int] = field(default_factory=set)
    rest: tuple[tuple[Actor, int], ...] = ()


@dataclass(slots=True)
class _Exchange:
    """One peer, from the first question to the last part."""

    peer: Address
    walk: Walk
    wanted: deque[tuple[Actor, int]] = field(default_factory=deque)
    requests: dict[int, _Pending] = field(default_factory=dict)

    @property
    def done(self) -> bool:
        return self.walk.done and not self.wanted and not self.requests


class AntiEntropy:
    """Both sides of the exchange, for one replica.

    Args:
        facts: Ours; this class reads it and never changes it.
        summary: Of the same facts.
        part_size: Bytes of payload of one datagram of an answer.
    """

    def __init__(self, facts: FactSet, summary: Summary, *, part_size: int) -> None:
        self.exchanges = 0
        self.failures = 0
        #: Whether the store has been equal to a peer's that was not empty.
        self.is_synchronised = False
        self._facts = facts
        self._summary = summary
        self._part_size = part_size
        self._exchange: _Exchange | None = None
        #: A peer that differs, and when to look whether it still does.
        self._suspect: tuple[Address, float] | None = None
        self._number = 0

    def next_wakeup(self) -> float:
        """When `tick` has something to do."""
        exchange = self._exchange
        if exchange is None:
            return NEVER if self._suspect is None else self._suspect[1]
        pending = (r.repeat_at for r in exchange.requests.values())
        return min(exchange.walk.next_wakeup(), min(pending, default=NEVER))

    def hear_digest(self, root: int, peer: Address, *, now: float) -> None:
        """A peer's digest came in; `tick` does the rest."""
        if root == self._summary.root:
            self.is_synchronised |= root != 0
            if self._suspect is not None and self._suspect[0] == peer:
                self._suspect = None
        elif root != 0 and self._suspect is None:
            settle = SETTLE if self.is_synchronised else 0.0
            self._suspect = peer, now + settle

    def tick(self, *, now: float) -> list[Send]:
        """Start an exchange that is due; ask again what was not answered."""
        if self._exchange is None and self._suspect and self._suspect[1] <= now:
            peer, self._suspect = self._suspect[0], None
            self.exchanges += 1
            walk = Walk(self._summary, now=now, retry_after=RETRY_AFTER)
            self._exchange = _Exchange(peer, walk)
        exchange = self._exchange
        if exchange is None:
            return []
        sends: list[Send] = []
        for number, request in list(exchange.requests.items()):
            if request.repeat_at <= now:
                sends += self._repeat(exchange, number, request, now=now)
        return sends + self._go_on(now=now)

    def answer_untrusted(self, ask: bytes, peer: Address) -> list[Send]:
        """Answer a question of somebody's walk.

        Raises:
            MalformedDatagram: It is none.
        """
        answer = Answer(self._summary.answer_untrusted(ask))
        return [Send(peer, encode(answer))]

    def serve(self, request: Request, peer: Address) -> list[Send]:
        """Send a peer what it lacks."""
        served = serve(self._facts, request.wants, size=self._part_size)
        deltas = served.deltas or (Delta(),)
        last = len(deltas) - 1
        return [
            Send(
                peer,
                encode(
                    Part(
                        request.number,
                        index,
                        len(deltas),
                        delta,
                        served.rest if index == last else (),
                    )
                ),
            )
            for index, delta in enumerate(deltas)
        ]

    def hear_answer_untrusted(
        self, answer: bytes, peer: Address, *, now: float
    ) -> list[Send]:
        """An answer to a question of our walk came in.

        Raises:
            MalformedDatagram: It is none.
        """
        exchange = self._exchange
        if exchange is None or exchange.peer != peer:
            return []
        actors = exchange.walk.receive_untrusted(answer, now=now)
        exchange.wanted.extend((Actor(actor), 1) for actor in actors)
        return self._go_on(now=now)

    def hear_part(self, part: Part, peer: Address, *, now: float) -> list[Send]:
        """A part came in and has been joined: see what is left to ask for."""
        exchange = self._exchange
        if exchange is None or exchange.peer != peer:
            return []
        request = exchange.requests.get(part.number)
        if request is None:
            return []
        request.parts.add(part.index)
        request.rest = part.rest or request.rest
        if len(request.parts) == part.count:
            del exchange.requests[part.number]
            exchange.wanted.extendleft(reversed(request.rest))
        return self._go_on(now=now)

    def _repeat(
        self, exchange: _Exchange, number: int, request: _Pending, *, now: float
    ) -> list[Send]:
        del exchange.requests[number]
        # As long as something comes the peer is there; loss alone is no reason.
        attempts = 1 if request.parts else request.attempts + 1
        if attempts > ATTEMPTS:
            exchange.walk.failed = True
            return []
        # What came is in the context by now, so it is not sent again.
        return [self._request(exchange, request.wants, attempts, now=now)]

    def _go_on(self, *, now: float) -> list[Send]:
        exchange = self._exchange
        if exchange is None:
            return []
        sends = [
            Send(exchange.peer, encode(Ask(ask))) for ask in exchange.walk.asks(now=now)
        ]
        while exchange.wanted and len(exchange.requests) < WINDOW:
            wants = self._next_wants(exchange)
            sends.append(self._request(exchange, wants, 1, now=now))
        if exchange.walk.failed:
            self.failures += 1
            self._exchange = None
        elif exchange.done:
            self.is_synchronised = True
            self._exchange = None
        return sends

    def _next_wants(self, exchange: _Exchange) -> tuple[tuple[Actor, int], ...]:
        wants: list[tuple[Actor, int]] = []
        size = 0
        while exchange.wanted and len(wants) < MOST_WANTS and size < _REQUEST_BYTES:
            actor, start = exchange.wanted.popleft()
            size += _RUN_BYTES * len(self._facts.context.runs(actor))
            wants.append((actor, start))
        return tuple(wants)

    def _request(
        self,
        exchange: _Exchange,
        wants: tuple[tuple[Actor, int], ...],
        attempts: int,
        *,
        now: float,
    ) -> Send:
        self._number += 1
        repeat_at = now + RETRY_AFTER * 2 ** (attempts - 1)
        exchange.requests[self._number] = _Pending(wants, repeat_at, attempts)
        context = self._facts.context
        asked = tuple(
            Want(actor, within(context.runs(actor), start, COUNTER_LIMIT), start)
            for actor, start in wants
        )
        return Send(exchange.peer, encode(Request(self._number, asked)))
