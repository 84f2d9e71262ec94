"""Which members have a write: asked while somebody waits for it, and never else.

A member has a write when its context has all dots of the write's delta and none of
the facts that the delta removed is live there. That is what a question carries; it
is answered by those who have, and others say nothing and are asked again. So a write
that nobody waits for costs not one byte.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from lashup.crdt.causal_context import Runs, includes, without
from lashup.crdt.dot import Actor
from lashup.crdt.facts import Delta, FactSet
from lashup.errors import UsageError
from lashup.machine import NEVER, Address, NodeId, Send

#: Seconds after which those who did not answer are asked again: longer than a delta
#: takes along its trees. Doubled each time.
FIRST_PAUSE = 0.02
#: The longest such pause: about when a digest on a probe would start a repair.
LONGEST_PAUSE = 1.0


#: How many members must have a write, the writer among them: a number, more than half
#: of those that are alive, or all of them.
Wait: TypeAlias = int | Literal["majority", "all"]


def check_wait(wait: Wait) -> None:
    """Raises UsageError when something is no `Wait`."""
    if wait in ("majority", "all") or (type(wait) is int and wait > 0):
        return
    raise UsageError(
        f'wait: {wait!r} is neither a positive number, "majority" nor "all"'
    )


def is_enough(wait: Wait, *, having: int, alive: int) -> bool:
    """Whether so many members that have a write, of so many alive, are enough."""
    match wait:
        case "majority":
            return 2 * having > alive
        case "all":
            return having >= alive
        case count:
            return having >= count


@dataclass(frozen=True, slots=True)
class Said:
    """What a delta says of one actor.

    Attributes:
        actor: Whose dots.
        seen: The delta's context.
        gone: Those of them that the delta has no fact for.
    """

    actor: Actor
    seen: Runs
    gone: Runs


@dataclass(frozen=True, slots=True)
class HaveYou:
    """Asks whether a delta has been joined."""

    number: int
    said: tuple[Said, ...]


@dataclass(frozen=True, slots=True)
class Have:
    """The answer: yes. There is no other."""

    number: int


@dataclass(slots=True)
class _Awaited:
    """A write that somebody waits for."""

    said: tuple[Said, ...]
    ask_at: float
    pause: float = FIRST_PAUSE
    having: set[NodeId] = field(default_factory=set)
    #: The number of the question to each member, the same each time it is repeated.
    questions: dict[NodeId, int] = field(default_factory=dict)


class Confirmations:
    """Both sides: what we wait for, and what others ask.

    Args:
        facts: Ours; never changed here.
        encode: Makes a question's bytes.
    """

    def __init__(self, facts: FactSet, *, encode: Callable[[HaveYou], bytes]) -> None:
        #: Who can be asked now: the members that are alive, without this one.
        self.peers: Callable[[], Mapping[NodeId, Address]] = dict
        self._facts = facts
        self._encode = encode
        self._awaited: dict[int, _Awaited] = {}
        self._asked: dict[int, tuple[int, NodeId]] = {}
        self._number = 0

    def __len__(self) -> int:
        """How many writes are waited for."""
        return len(self._awaited)

    def next_wakeup(self) -> float:
        """When `tick` has something to ask."""
        if not self._awaited:
            return NEVER
        return min(one.ask_at for one in self._awaited.values())

    def begin(self, update: int, delta: Delta, *, now: float) -> list[Send]:
        """Wait for a write, under a number of the caller's, until `end`."""
        said = tuple(_said(delta, actor) for actor, _ in delta.context.items())
        self._awaited[update] = _Awaited(said, now)
        return self.tick(now=now)

    def end(self, update: int) -> None:
        """Nobody waits any more; one that is not waited for is no error."""
        awaited = self._awaited.pop(update, None)
        if awaited is not None:
            for number in awaited.questions.values():
                del self._asked[number]

    def having(self, update: int) -> frozenset[NodeId]:
        """The other members that have said that they have a write."""
        awaited = self._awaited.get(update)
        return frozenset() if awaited is None else frozenset(awaited.having)

    def tick(self, *, now: float) -> list[Send]:
        """Ask those that are due, whoever is alive now."""
        sends: list[Send] = []
        for update, awaited in self._awaited.items():
            if awaited.ask_at > now:
                continue
            awaited.ask_at = now + awaited.pause
            awaited.pause = min(2 * awaited.pause, LONGEST_PAUSE)
            for node, address in self.peers().items():
                if node not in awaited.having:
                    number = self._question(update, awaited, node)
                    question = self._encode(HaveYou(number, awaited.said))
                    sends.append(Send(address, question))
        return sends

    def hear(self, answer: Have) -> bool:
        """Somebody has it. Whether that was waited for, and is new."""
        update, node = self._asked.get(answer.number, (0, None))
        awaited = self._awaited.get(update)
        if awaited is None or node is None or node in awaited.having:
            return False
        awaited.having.add(node)
        return True

    def answer(self, question: HaveYou) -> Have | None:
        """The answer to somebody's question; None while we lack something of it."""
        for said in question.said:
            if not includes(self._facts.context.runs(said.actor), said.seen):
                return None
            if self._facts.is_alive_in(said.actor, said.gone):
                return None
        return Have(question.number)

    def _question(self, update: int, awaited: _Awaited, node: NodeId) -> int:
        if node not in awaited.questions:
            self._number += 1
            awaited.questions[node] = self._number
            self._asked[self._number] = update, node
        return awaited.questions[node]


def _said(delta: Delta, actor: Actor) -> Said:
    seen = delta.context.runs(actor)
    live = sorted(dot.counter for dot in delta.facts if dot.actor == actor)
    return Said(actor, seen, without(seen, live))
