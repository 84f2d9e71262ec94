"""Anti-entropy: the store is made equal to a peer's, by what differs.

Theory of operation
-------------------
Every probe and ack carries the sender's digest. Unequal digests start an exchange
with that peer, one at a time: a walk (`reconcile`) finds the actors that differ,
requests ask what is to be known of them, a few at a time, and each part that comes
back is a delta to be joined. The peer does the same in its own time, so each side
only ever pulls.

For each actor that differs we keep the stretches of counters that the peer has not
yet spoken about (`Exchange.todo`). A part takes away what it dealt with, whichever
request it belongs to and whenever it comes; a request asks for what is left. So every
part that arrives is progress, and loss costs time only.

While deltas are on their way digests differ all the time, so a difference is given
`SETTLE` seconds to go away; not so before the first synchronisation.

A peer that says nothing for a few requests in a row is given up, and the next unequal
digest starts anew.
"""

from __future__ import annotations

from dataclasses import dataclass

from lashup.crdt.dot import Actor
from lashup.crdt.facts import FactSet
from lashup.kv.absence import Absence
from lashup.kv.exchange import Exchange, Pending
from lashup.kv.messages import (
    Answer,
    Ask,
    Part,
    Request,
    encode,
)
from lashup.kv.retirement import Retirement
from lashup.kv.rider import Rider
from lashup.kv.serving import BURST, EVERYTHING, serve
from lashup.machine import NEVER, Address, Send
from lashup.reconcile import Sought, Summary, Walk

#: Seconds that a difference may be a delta on its way: longer than a multicast takes.
SETTLE = 0.25
#: Seconds without an answer before a question is asked again; doubled each time. More
#: than a round trip nearly everywhere: where half of all is lost, an exchange is mostly
#: such pauses (0.3 s made tables of eight nodes equal after 26 s instead of 8).
RETRY_AFTER = 0.08
#: Parts of one answer leave together: what is this many seconds behind is lost.
PARTS_APART = 0.03
#: How often a request is sent in vain before the peer is given up.
ATTEMPTS = 6
#: Requests on their way at a time: each brings at most a burst of datagrams.
WINDOW = 3
#: Seconds after which a table is looked at again that had only what is retired here.
_FRUITLESS = 60.0


@dataclass(frozen=True, slots=True)
class _Suspect:
    """A peer whose digest was another than ours."""

    peer: Address
    rider: Rider
    look_at: float


class AntiEntropy:
    """Both sides of the exchange, for one replica.

    Args:
        facts: Ours; this class reads it and never changes it.
        summary: Of the same facts.
        part_size: Bytes of payload of one datagram of an answer.
        absence: Knows from whom nothing is to be taken, and what is outdated.
        retirement: Knows what is forgotten.
    """

    def __init__(
        self,
        facts: FactSet,
        summary: Summary,
        *,
        part_size: int,
        absence: Absence,
        retirement: Retirement,
    ) -> None:
        self.exchanges = 0
        self.failures = 0
        #: Whether the store has held all that a peer's did which was not empty.
        self.is_synchronised = False
        #: Whether that peer was informed (see `rider`).
        self.is_informed = False
        #: Whether the disk had a table when this node started.
        self.had_table = False
        self._facts = facts
        self._summary = summary
        self._part_size = part_size
        self._absence = absence
        self._retirement = retirement
        #: Actors that are to be dropped; see `take_outdated`.
        self._outdated: list[Actor] = []
        #: Our root and a peer's, until when they are not worth another look.
        self._fruitless = (0, 0, NEVER)
        self._exchange: Exchange | None = None
        self._suspect: _Suspect | None = None
        self._number = 0

    def next_wakeup(self) -> float:
        """When `tick` has something to do."""
        exchange = self._exchange
        if exchange is None:
            return NEVER if self._suspect is None else self._suspect.look_at
        pending = (r.repeat_at for r in exchange.requests.values())
        return min(exchange.walk.next_wakeup(), min(pending, default=NEVER))

    def hear_rider(self, rider: Rider, peer: Address, *, now: float) -> None:
        """A peer's digest came in; `tick` does the rest."""
        self._absence.hear(rider)
        if self._absence.shuns(rider, now=now):
            return
        ours, theirs, until = self._fruitless
        if (ours, theirs) == (self._summary.root, rider.root) and now < until:
            return
        suspect = self._suspect
        if rider.root == self._summary.root:
            self._agreed(rider)
            if suspect is not None and suspect.peer == peer:
                self._suspect = None
        elif self._is_worth_asking(rider) and (suspect is None or suspect.peer == peer):
            settle = SETTLE if self.is_synchronised else 0.0
            look_at = now + settle if suspect is None else suspect.look_at
            self._suspect = _Suspect(peer, rider, look_at)

    def tick(self, *, now: float) -> list[Send]:
        """Start an exchange that is due; ask again what was not answered."""
        if self._exchange is None:
            self._begin(now=now)
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

    def serve(
        self, request: Request, peer: Address, *, burst: int = BURST
    ) -> list[Send]:
        """Send a peer what it lacks, in so many datagrams at most."""
        size = self._part_size
        served = serve(self._facts, request.wants, size=size, burst=burst)
        parts = []
        for index, one in enumerate(served):
            actors = [actor for actor, _ in one.delta.context.items()]
            idle = self._retirement.idle_days(actors)
            part = Part(request.number, index, len(served), one.delta, one.dealt, idle)
            parts.append(part)
        return [Send(peer, encode(part)) for part in parts]

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
        for key in exchange.walk.receive_untrusted(answer, now=now):
            actor = Actor(key)
            if actor not in exchange.todo:
                exchange.todo[actor] = EVERYTHING
                exchange.waiting.append(actor)
        return self._go_on(now=now)

    def hear_part(self, part: Part, peer: Address, *, now: float) -> list[Send]:
        """A part came in and has been joined: see what is left to ask for."""
        exchange = self._exchange
        if exchange is None or exchange.peer != peer:
            return []
        told = [actor for actor, _ in part.delta.context.items()]
        self._absence.took(told, exchange.rider)
        has_progressed = exchange.take_away(part)
        request = exchange.requests.get(part.number)
        if request is not None:
            request.parts.add(part.index)
            request.has_progressed |= has_progressed
            request.repeat_at = min(request.repeat_at, now + PARTS_APART)
            # An answer that says nothing is waited out, not asked for again at once.
            if len(request.parts) == part.count and request.has_progressed:
                del exchange.requests[part.number]
                left = (actor for actor in request.actors if actor in exchange.todo)
                exchange.waiting.extendleft(left)
        return self._go_on(now=now)

    def give_up(self) -> None:
        """Forget whom it was to ask: what is known of peers is no longer so."""
        self._exchange = self._suspect = None

    def take_outdated(self) -> list[Actor]:
        """Actors that a peer which was not away does not know; told once."""
        outdated, self._outdated = self._outdated, []
        return outdated

    def _begin(self, *, now: float) -> None:
        suspect = self._suspect
        if suspect is None or suspect.look_at > now:
            return
        self._suspect = None
        if suspect.rider.root == self._summary.root:
            self._agreed(suspect.rider)
            return
        self.exchanges += 1
        is_outdated = self._absence.is_outdated_for(suspect.rider)
        walk = Walk(
            self._summary,
            number=self.exchanges,
            now=now,
            retry_after=RETRY_AFTER,
            sought=Sought.ALL if is_outdated else Sought.THEIRS,
        )
        self._exchange = Exchange(
            suspect.peer, suspect.rider, walk, self._retirement.refused, is_outdated
        )

    def _agreed(self, rider: Rider) -> None:
        """Our store holds all that a peer's did. An empty one says nothing."""
        self._absence.agree(rider)
        if rider.root != 0:
            self.is_synchronised = True
            self.is_informed |= rider.is_informed

    def _is_worth_asking(self, rider: Rider) -> bool:
        """Whether a table that is not equal can tell us anything."""
        return rider.root != 0 or self._absence.is_outdated_for(rider)

    def _repeat(
        self, exchange: Exchange, number: int, request: Pending, *, now: float
    ) -> list[Send]:
        del exchange.requests[number]
        actors = tuple(actor for actor in request.actors if actor in exchange.todo)
        # As long as something comes the peer is there; loss alone is no reason.
        attempts = 1 if request.has_progressed else request.attempts + 1
        exchange.has_failed |= attempts > ATTEMPTS
        if not actors or exchange.has_failed:
            return []
        return [self._request(exchange, actors, attempts, now=now)]

    def _go_on(self, *, now: float) -> list[Send]:
        exchange = self._exchange
        if exchange is None:
            return []
        asks = exchange.walk.asks(now=now)
        if exchange.has_failed or exchange.walk.failed:
            self.failures += 1
            self._exchange = None
            return []
        sends = [Send(exchange.peer, encode(Ask(ask))) for ask in asks]
        while exchange.waiting and len(exchange.requests) < WINDOW:
            actors = exchange.next_actors(self._facts)
            sends += [self._request(exchange, actors, 1, now=now)] if actors else []
        if exchange.is_done:
            self._end(exchange, now=now)
        return sends

    def _end(self, exchange: Exchange, *, now: float) -> None:
        self._exchange = None
        if exchange.is_outdated:
            self._outdated += self._absence.returned(exchange.walk.lacking)
        self._agreed(exchange.rider)
        if self._retirement.refused != exchange.refused:
            until = now + _FRUITLESS
            self._fruitless = self._summary.root, exchange.rider.root, until

    def _request(
        self,
        exchange: Exchange,
        actors: tuple[Actor, ...],
        attempts: int,
        *,
        now: float,
    ) -> Send:
        self._number += 1
        repeat_at = now + RETRY_AFTER * min(2 ** (attempts - 1), 4)
        exchange.requests[self._number] = Pending(actors, repeat_at, attempts)
        wants = tuple(exchange.want(self._facts, actor) for actor in actors)
        return Send(exchange.peer, encode(Request(self._number, wants)))
