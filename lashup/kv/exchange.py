"""One exchange with one peer: what it has yet to tell us, and what we have asked."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from lashup.crdt.causal_context import Runs, difference, within
from lashup.crdt.dot import Actor
from lashup.crdt.facts import FactSet
from lashup.kv.messages import MOST_WANTS, Part
from lashup.kv.rider import Rider
from lashup.kv.serving import Want
from lashup.machine import Address
from lashup.reconcile import Walk

#: Bytes of runs in one request, beyond which it takes no further actor.
_REQUEST_BYTES = 900
#: Bytes of one run in a request, at most about.
_RUN_BYTES = 12
#: Runs of one actor in a request. With more of them it asks for a first stretch only.
_MOST_RUNS = 64


@dataclass(slots=True)
class Pending:
    """A request on its way."""

    actors: tuple[Actor, ...]
    repeat_at: float
    attempts: int
    parts: set[int] = field(default_factory=set)
    has_progressed: bool = False


@dataclass(slots=True)
class Exchange:
    """One peer, from the first question to the last part."""

    peer: Address
    rider: Rider
    walk: Walk
    #: Actors that had been refused before.
    refused: int
    #: Whether what the peer does not know is to be dropped here.
    is_outdated: bool
    #: Counters that the peer has yet to speak about, of actors that differ.
    todo: dict[Actor, Runs] = field(default_factory=dict)
    #: Actors of `todo` that no request on its way is about.
    waiting: deque[Actor] = field(default_factory=deque)
    requests: dict[int, Pending] = field(default_factory=dict)
    has_failed: bool = False

    @property
    def is_done(self) -> bool:
        """Whether the peer has nothing more to tell."""
        return self.walk.done and not self.todo

    def take_away(self, part: Part) -> bool:
        """Note what a part dealt with. Whether that was anything new."""
        has_progressed = False
        for actor, stretches in part.dealt:
            todo = self.todo.get(actor, ())
            left = difference(todo, stretches)
            has_progressed |= left != todo
            if left:
                self.todo[actor] = left
            else:
                self.todo.pop(actor, None)
        return has_progressed

    def next_actors(self, facts: FactSet) -> tuple[Actor, ...]:
        """Take off `waiting` whom the next request is about."""
        actors: list[Actor] = []
        size = 0
        while self.waiting and len(actors) < MOST_WANTS and size < _REQUEST_BYTES:
            actor = self.waiting.popleft()
            # A late part may have dealt with it while it waited.
            if actor in self.todo:
                want = self.want(facts, actor)
                size += _RUN_BYTES * (1 + len(want.seen) + len(want.stretches))
                actors.append(actor)
        return tuple(actors)

    def want(self, facts: FactSet, actor: Actor) -> Want:
        """What is left to ask of an actor, as much of it as fits a request."""
        stretches = self.todo[actor][:_MOST_RUNS]
        first, last = stretches[0][0], stretches[-1][1]
        seen = within(facts.context.runs(actor), first, last)
        if len(seen) > _MOST_RUNS:
            seen = seen[:_MOST_RUNS]
            stretches = within(stretches, first, seen[-1][1])
        return Want(actor, seen, stretches)
