"""Retirement: actors that nothing is left of are forgotten after a while.

Theory of operation
-------------------
Every start of a node that writes takes a new actor, and its entry in the context stays
when all its facts are gone: it is the memory of their removal. Here it is forgotten
some days (`after`) after its last fact went. Days are whole days of the wall clock and
begin for all replicas at once, so all forget the same at about the same time; what a
peer still has then is not taken over again (`admit`). Where peers disagree on the day,
the later one counts: it goes with the entry when a peer asks for it.

What is forgotten can come back: with a replica that was away, still has the fact and
never heard of its removal. So a replica knows on which day it was switched off
(`away_since`) and up to which day somebody may have forgotten removals (`horizon`, the
greatest one told by any rider). Away since before the horizon, it is *outdated*.
Others take nothing from it, and it walks the whole table of one that was not away: of
the actors that it brought from its disk, those that the other does not know are gone,
with their facts.

Who comes back forgets nothing for a day. So a cluster that was off as a whole still has
all removals when its members meet.

It forgets too much in one case: where a part of the cluster was split off, and kept
running, for longer than `after` days. What the others removed in the first days of it
may then come back.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from lashup.crdt.causal_context import CausalContext
from lashup.crdt.dot import ACTOR_SIZE, Actor
from lashup.crdt.facts import Delta, FactSet
from lashup.errors import MalformedDatagram
from lashup.kv.rider import DAY_LIMIT, Rider
from lashup.kv.rows import META_TABLE, Rows
from lashup.machine import NEVER

DAY = 86_400.0
#: Days after which an actor without facts is forgotten, unless told otherwise: never.
DEFAULT_AFTER = 0
#: Days by which clocks of members may differ, and by which a removal may be noted late.
_SLACK = 2
#: Seconds after the start in which a horizon is expected to be heard, if there is one.
_LISTENS = 30.0
#: Actors looked at in one go: some milliseconds.
_AT_A_TIME = 4_096

_STATE_ROW = b"retirement"
#: The horizon, since when it was away, and the last day of which there are rows.
_STATE = struct.Struct(">HHH")
_IDLE_ROW = b"idle"


class Retirement:
    """Which actors of one replica have no facts, and since when.

    Args:
        facts: The replica's; only read here.
        after: Days after which an actor without facts is forgotten; 0: never.

    Attributes:
        horizon: The first day of which a removal may not be missing here; 0: none is.
        away_since: The day on which this replica was switched off, for as long as it
            has not been equal to one that was not away; 0: it was not.
        refused: Actors that were not taken over again, since the start.
        forgotten: Actors that were forgotten, since the start.
    """

    def __init__(self, facts: FactSet, *, after: int = DEFAULT_AFTER) -> None:
        self.horizon = 0
        #: The greatest that anybody has told, whatever is known here.
        self._heard = 0
        self.away_since = 0
        self.refused = 0
        self.forgotten = 0
        self._facts = facts
        self._after = after
        self._today = 0
        #: The day on which an actor was first seen to have no facts.
        self._idle: dict[Actor, int] = {}
        #: What came from the disk, while it is not known to be of today.
        self._brought: frozenset[Actor] = frozenset()
        #: Days whose row on disk is another than here.
        self._changed: set[int] = set()
        self._saved = (0, 0, 0)
        #: Actors that this round has yet to look at; None between two rounds.
        self._left: Iterator[Actor] | None = None
        self._look_at = 0.0 if after else NEVER
        #: When the last round began, on both clocks.
        self._began: tuple[float, float] | None = None
        self._listens_until = 0.0
        #: For a day after it was off for some days.
        self._is_new = False

    @property
    def idle(self) -> int:
        """How many actors have no facts, as of the last round."""
        return len(self._idle)

    def load(self, rows: Mapping[bytes, bytes], *, wall: float) -> None:
        """Take over what an earlier life left, once the facts are there.

        Args:
            rows: Of `META_TABLE`; others' rows are passed over.
            wall: Seconds since 1970.

        Raises:
            MalformedDatagram: They are not what this version writes.
        """
        self._today = _day(wall)
        for name, row in rows.items():
            if name.startswith(_IDLE_ROW) and len(name) == len(_IDLE_ROW) + 2:
                self._load_idle(int.from_bytes(name[-2:], "big"), row)
        state = rows.get(_STATE_ROW)
        if state is None:
            return
        if len(state) != _STATE.size:
            raise MalformedDatagram(f"a row of retirement of {len(state)} bytes")
        self._saved = _STATE.unpack(state)
        self.horizon, away_since, ran = self._saved
        if self._after and len(self._facts.context):
            self.away_since = away_since or ran
            self._is_new = self._today - self.away_since > _SLACK
            self._brought = frozenset(actor for actor, _ in self._facts.context.items())

    def _load_idle(self, day: int, row: bytes) -> None:
        if len(row) % ACTOR_SIZE:
            raise MalformedDatagram("a row of idle actors that has a part of one")
        for at in range(0, len(row), ACTOR_SIZE):
            actor = Actor(row[at : at + ACTOR_SIZE])
            if self._facts.context.runs(actor) and not self._facts.live(actor):
                self._idle[actor] = max(day, self._idle.get(actor, 0))
        self._changed.add(day)

    def next_wakeup(self) -> float:
        """When `tick` has something to do."""
        return self._look_at

    def tick(self, *, now: float, wall: float) -> list[Actor]:
        """Look at some actors, all of them once a day.

        Returns:
            Those that are to be forgotten; `forgot` tells of each that was.
        """
        if not self._after:
            return []
        if self._left is None:
            if now < self._look_at and _day(wall) == self._today:
                return []
            self._begin(now=now, wall=wall)
        assert self._left is not None  # noqa: S101
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
            self._changed.add(day)
            if self._is_over(day):
                self.horizon = max(self.horizon, day + _SLACK)

    def rows(self) -> Rows:
        """What is to be put on disk now: nothing before a round is over."""
        if not self._after or self._left is not None:
            return Rows()
        puts: list[tuple[str, bytes, bytes]] = []
        deletes: list[tuple[str, bytes]] = []
        if self._changed:
            by_day: dict[int, list[Actor]] = {day: [] for day in self._changed}
            for actor, day in self._idle.items():
                if day in by_day:
                    by_day[day].append(actor)
            for day, actors in by_day.items():
                name = _IDLE_ROW + day.to_bytes(2, "big")
                if actors:
                    puts.append((META_TABLE, name, b"".join(actors)))
                else:
                    deletes.append((META_TABLE, name))
            self._changed.clear()
        # While away, a crash must not make it forget that it is.
        state = self.horizon, self.away_since, self._today
        if self._today and state != self._saved:
            self._saved = state
            puts.append((META_TABLE, _STATE_ROW, _STATE.pack(*state)))
        return Rows(tuple(puts), tuple(deletes))

    def is_behind(self, made: float) -> bool:
        """Whether a dump may hold what was removed since, and that is forgotten.

        Args:
            made: Seconds since 1970.
        """
        return _day(made) < max(self.horizon, self._heard)

    def idle_days(self, actors: Iterable[Actor]) -> dict[Actor, int]:
        """Since which day some actors have no facts; those that have are left out."""
        days: dict[Actor, int] = {}
        if not self._after:
            return days
        for actor in actors:
            if self._facts.context.runs(actor) and not self._facts.live(actor):
                if actor not in self._idle:
                    self._note(actor, self._today)  # What we tell holds here, too.
                days[actor] = self._idle[actor]
        return days

    def admit(self, delta: Delta, idle: Mapping[Actor, int]) -> Delta:
        """What of a peer's answer is to be joined: all but what is forgotten here.

        Args:
            delta: The answer.
            idle: Since which day actors have no facts at the peer.
        """
        if not self._after:
            return delta
        refused = set()
        for actor, day in idle.items():
            if not delta.context.runs(actor):
                continue  # It says nothing of it.
            is_known = bool(self._facts.context.runs(actor))
            is_forgotten = self._is_over(day) and day + _SLACK <= self.horizon
            if not is_known and is_forgotten:
                refused.add(actor)
            elif not self._facts.live(actor) and day > self._idle.get(actor, 0):
                # Far in the past all days are one: so there are not many.
                least = max(0, self._today - self._after - _SLACK)
                self._note(actor, max(least, min(day, self._today)))
        refused -= {dot.actor for dot in delta.facts}
        if not refused:
            return delta
        self.refused += len(refused)
        context = CausalContext()
        for actor, runs in delta.context.items():
            if actor not in refused:
                context.add_runs(actor, runs)
        return Delta(delta.facts, context)

    def hear(self, rider: Rider) -> None:
        """Follow what a peer says of the horizon, unless its clock is off."""
        if self._is_possible(rider):
            self._heard = max(self._heard, rider.horizon)

    def is_outdated_for(self, rider: Rider) -> bool:
        """Whether this replica may hold what a peer has seen removed, and forgotten."""
        is_before = 0 < self.away_since < rider.horizon and self._is_possible(rider)
        return is_before and self._is_current(rider)

    def shuns(self, rider: Rider, *, now: float) -> bool:
        """Whether nothing is to be taken from a peer before it has caught up."""
        horizon = max(self._heard, self.horizon)
        if self._after and now < self._listens_until:
            # Others may have forgotten that much, and not have been heard yet.
            horizon = max(horizon, self._today - self._after + _SLACK)
        return 0 < rider.away_since < horizon

    def took(self, actors: Iterable[Actor], rider: Rider) -> None:
        """A peer has told of some actors: one that was away brings what a disk does."""
        if self.away_since and rider.away_since:
            self._brought |= frozenset(actors)

    def returned(self, unknown: Iterable[bytes]) -> list[Actor]:
        """This replica has walked the table of one that was not away.

        Args:
            unknown: Actors of ours that the other does not know.

        Returns:
            Those that are to be dropped: they came from the disk.
        """
        gone = sorted(self._brought.intersection(map(Actor, unknown)))
        # What it has removed itself, nobody would hear of: now they do.
        self._is_new = True
        self._be_back()
        return gone

    def agree(self, rider: Rider) -> None:
        """This replica holds all that a peer does."""
        if self._is_possible(rider):
            self.horizon = max(self.horizon, rider.horizon)
        knows = rider.is_informed or rider.horizon
        if knows and self._is_current(rider):
            self._be_back()

    def _is_possible(self, rider: Rider) -> bool:
        """Whether a peer can have forgotten so much, if its clock is right."""
        most = self._today - self._after + _SLACK
        return self._after > 0 and rider.horizon <= most

    def _is_current(self, rider: Rider) -> bool:
        """Whether a peer lacks nothing that anybody here has forgotten."""
        return not rider.away_since or rider.away_since + _SLACK >= self._today

    def _be_back(self) -> None:
        if self.away_since:
            self.away_since, self._brought = 0, frozenset()
            self._look_at = 0.0

    def _begin(self, *, now: float, wall: float) -> None:
        """Begin a round."""
        today = _day(wall)
        actors = [actor for actor, _ in self._facts.context.items()]
        if self._began is None:
            self._listens_until = now + _LISTENS
        else:
            ran = now - self._began[0]
            if (
                wall - self._began[1] - ran > DAY / 2
            ):  # The machine was stopped, or its clock was set.
                self.away_since, self._brought = self._today, frozenset(actors)
                self._is_new = True
            elif ran > DAY / 2:
                self._is_new = False
                if self.away_since >= max(self._heard, self.horizon):
                    # Who was met by nobody for so long is in a split cluster.
                    self.away_since, self._brought = 0, frozenset()
        self._began = now, wall
        self._today = today
        self._left = iter(actors)

    def _is_due(self, actor: Actor) -> bool:
        """Note whether an actor has facts; whether it is to be forgotten."""
        if self._facts.live(actor):
            if actor in self._idle:
                self._changed.add(self._idle.pop(actor))
            return False
        # A day that is yet to come was noted by a clock that was ahead.
        if self._idle.get(actor, DAY_LIMIT) > self._today:
            self._note(actor, self._today)
        return self._is_over(self._idle[actor])

    def _is_over(self, day: int) -> bool:
        if not self._after or self.away_since or self._is_new:
            return False
        return day + self._after <= self._today

    def _note(self, actor: Actor, day: int) -> None:
        if actor in self._idle:
            self._changed.add(self._idle[actor])
        self._idle[actor] = day
        self._changed.add(day)


def _day(wall: float) -> int:
    """Days since 1970, within what two bytes hold."""
    return max(1, min(int(wall // DAY), DAY_LIMIT - 1))
