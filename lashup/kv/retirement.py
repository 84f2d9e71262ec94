"""Retirement: actors that nothing is left of are forgotten after a while.

Theory of operation
-------------------
Every start of a node that writes takes a new actor, and its entry in the context stays
when all its facts are gone: it is the memory of their removal. Here it is forgotten
some days (`after`) after its last fact went. Days are whole days of the wall clock and
begin for all replicas at once, so all forget the same at about the same time; what a
peer still has then is not taken over again (`admit`). Where peers disagree on the day,
the later one counts: it goes with the entry when a peer asks for it.

Who was away when something was removed is the business of `absence`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from lashup.crdt.causal_context import CausalContext
from lashup.crdt.dot import ACTOR_SIZE, Actor
from lashup.crdt.facts import Delta, FactSet
from lashup.errors import MalformedDatagram
from lashup.kv.absence import DAY, SLACK, Absence, day_of
from lashup.kv.rider import DAY_LIMIT
from lashup.kv.rows import META_TABLE, Rows
from lashup.machine import NEVER

#: Days after which an actor without facts is forgotten, unless told otherwise: never.
DEFAULT_AFTER = 0
#: Actors looked at in one go: some milliseconds.
_AT_A_TIME = 4_096

#: Of one actor, with the day. Earlier versions had one of each day with all its actors,
#: and wrote it anew with each of them.
_IDLE_ROW = b"idle"
_DAY_SIZE = 2


class Retirement:
    """Which actors of one replica have no facts, and since when.

    Args:
        facts: The replica's; only read here.
        absence: The replica's.
        after: Days after which an actor without facts is forgotten; 0: never.

    Attributes:
        refused: Actors that were not taken over again, since the start.
        forgotten: Actors that were forgotten, since the start.
    """

    def __init__(self, facts: FactSet, absence: Absence, *, after: int) -> None:
        self.refused = 0
        self.forgotten = 0
        self._facts = facts
        self._absence = absence
        self._after = after
        #: The day on which an actor was first seen to have no facts.
        self._idle: dict[Actor, int] = {}
        #: Actors whose row on disk is another than here.
        self._changed: set[Actor] = set()
        #: Rows of the form in which earlier versions kept them.
        self._earlier: list[bytes] = []
        #: Actors that this round has yet to look at; None between two rounds.
        self._left: Iterator[Actor] | None = None
        self._look_at = 0.0
        #: As of the last round: who is back since can forget at once.
        self._away_since = 0

    @property
    def idle(self) -> int:
        """How many actors have no facts, as of the last round."""
        return len(self._idle)

    def load(self, rows: Mapping[bytes, bytes]) -> None:
        """Take over what an earlier life left, once the facts are there.

        Args:
            rows: Of `META_TABLE`; others' rows are passed over.

        Raises:
            MalformedDatagram: They are not what this version writes.
        """
        for name, row in rows.items():
            if not name.startswith(_IDLE_ROW):
                continue
            match name.removeprefix(_IDLE_ROW):
                case actor if len(actor) == ACTOR_SIZE and len(row) == _DAY_SIZE:
                    self._load_idle(Actor(actor), int.from_bytes(row, "big"))
                case day if len(day) == _DAY_SIZE and len(row) % ACTOR_SIZE == 0:
                    self._earlier.append(name)
                    for at in range(0, len(row), ACTOR_SIZE):
                        actor = Actor(row[at : at + ACTOR_SIZE])
                        self._load_idle(actor, int.from_bytes(day, "big"))
                        self._changed.add(actor)
                case _:
                    raise MalformedDatagram("a row of idle actors of a wrong size")

    def next_wakeup(self) -> float:
        """When `tick` has something to do."""
        if not self._after:
            return NEVER
        return 0.0 if self._is_back() else self._look_at

    def tick(self, *, now: float, wall: float) -> list[Actor]:
        """Look at some actors, all of them once a day.

        Returns:
            Those that are to be forgotten; `forgot` tells of each that was.
        """
        if not self._after:
            return []
        if self._left is None:
            is_of_today = now < self._look_at and day_of(wall) == self._absence.today
            if is_of_today and not self._is_back():
                return []
            self._left = self._begin(now=now, wall=wall)
        looked_at = list(islice(self._left, _AT_A_TIME))
        due = [actor for actor in looked_at if self._is_due(actor)]
        self._look_at = now
        if len(looked_at) < _AT_A_TIME:
            self._left = None
            self._look_at = now + DAY - wall % DAY
        return due

    def forgot(self, actor: Actor) -> None:
        """An actor is no more in the context."""
        self.forgotten += 1
        day = self._idle.pop(actor, None)
        if day is not None:
            self._changed.add(actor)
            if self._is_over(day):
                self._absence.forgot(day)

    def rows(self) -> Rows:
        """What is to be put on disk now."""
        if not self._after:
            return Rows()
        changed, self._changed = self._changed, set()
        earlier, self._earlier = self._earlier, []
        puts = (
            (
                META_TABLE,
                _IDLE_ROW + actor,
                self._idle[actor].to_bytes(_DAY_SIZE, "big"),
            )
            for actor in changed
            if actor in self._idle
        )
        gone = [_IDLE_ROW + actor for actor in changed if actor not in self._idle]
        deletes = ((META_TABLE, name) for name in (*earlier, *gone))
        return Rows((*puts, *self._absence.puts()), tuple(deletes))

    def idle_days(self, actors: Iterable[Actor]) -> dict[Actor, int]:
        """Since which day some actors have no facts; those that have are left out."""
        if not self._after:
            return {}
        idle = [actor for actor in actors if self._is_idle(actor)]
        for actor in idle:
            if actor not in self._idle:
                self._note(actor, self._absence.today)  # What we tell holds here, too.
        return {actor: self._idle[actor] for actor in idle}

    def may_have_forgotten(self, delta: Delta) -> bool:
        """Whether an announced delta removes what is of an actor not known here.

        It may have been written over what a disk brought that was away for too long.
        Once the actor is known again, what else the disk has of it is no longer told
        from what is here; and so it would come back.
        """
        if not self._after:
            return False
        brought = {dot.actor for dot in delta.facts}
        removed = (actor for actor, _ in delta.context.items() if actor not in brought)
        return not all(self._facts.context.runs(actor) for actor in removed)

    def admit(self, delta: Delta, idle: Mapping[Actor, int]) -> Delta:
        """What of a peer's answer is to be joined: all but what is forgotten here.

        Args:
            delta: The answer.
            idle: Since which day actors have no facts at the peer.
        """
        if not self._after:
            return delta
        told = {actor: day for actor, day in idle.items() if delta.context.runs(actor)}
        refused = {actor for actor, day in told.items() if self._refuses(actor, day)}
        for actor in told.keys() - refused:
            self._follow(actor, told[actor])
        refused -= {dot.actor for dot in delta.facts}
        if not refused:
            return delta
        self.refused += len(refused)
        context = CausalContext()
        for actor, runs in delta.context.items():
            if actor not in refused:
                context.add_runs(actor, runs)
        return Delta(delta.facts, context)

    def _load_idle(self, actor: Actor, day: int) -> None:
        if self._is_idle(actor):
            self._idle[actor] = max(day, self._idle.get(actor, 0))
        else:
            self._changed.add(actor)  # Its row goes.

    def _begin(self, *, now: float, wall: float) -> Iterator[Actor]:
        """Begin a round."""
        self._absence.begin_round(now=now, wall=wall)
        self._away_since = self._absence.away_since
        return iter([actor for actor, _ in self._facts.context.items()])

    def _is_back(self) -> bool:
        return bool(self._away_since) and not self._absence.away_since

    def _is_due(self, actor: Actor) -> bool:
        """Note whether an actor has facts; whether it is to be forgotten."""
        if not self._is_idle(actor):  # Also one that was dropped since the round began.
            if self._idle.pop(actor, None) is not None:
                self._changed.add(actor)
            return False
        # A day that is yet to come was noted by a clock that was ahead.
        if self._idle.get(actor, DAY_LIMIT) > self._absence.today:
            self._note(actor, self._absence.today)
        return self._is_over(self._idle[actor])

    def _is_idle(self, actor: Actor) -> bool:
        return bool(self._facts.context.runs(actor)) and not self._facts.live(actor)

    def _is_over(self, day: int) -> bool:
        is_over = day + self._after <= self._absence.today
        return bool(self._after) and is_over and self._absence.may_forget

    def _refuses(self, actor: Actor, day: int) -> bool:
        """Whether an actor that has no facts since a day is forgotten here."""
        is_known = bool(self._facts.context.runs(actor))
        is_forgotten = self._is_over(day) and day + SLACK <= self._absence.horizon
        return is_forgotten and not is_known

    def _follow(self, actor: Actor, day: int) -> None:
        """Take over a peer's day for an actor without facts, if it is later."""
        if self._facts.live(actor) or day <= self._idle.get(actor, 0):
            return
        self._note(actor, min(day, self._absence.today))

    def _note(self, actor: Actor, day: int) -> None:
        self._idle[actor] = day
        self._changed.add(actor)
