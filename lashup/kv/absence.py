"""Absence: what a replica lacks that was switched off, and who may have forgotten it.

Theory of operation
-------------------
Removals are remembered for some days (`retirement`). What is forgotten can come back:
with a replica that was away, still has the fact and never heard of its removal. So a
replica knows on which day it was switched off (`away_since`) and up to which day
removals may be missing here (`horizon`); both ride on probes. Away since before the
horizon of another, it is *outdated*. Others take nothing from it, and it walks the
whole table of one that was not away: of the actors that it brought from its disk, those
that the other does not know are gone, with their facts.

Who comes back forgets nothing for a day. So a cluster that was off as a whole still has
all removals when its members meet.

It fails in one case: where a part of the cluster was split off, and kept running, for
longer than removals are remembered. What the others removed in the first days of it
may then come back.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping

from lashup.crdt.causal_context import CausalContext
from lashup.crdt.dot import Actor
from lashup.crdt.facts import FactSet
from lashup.errors import MalformedDatagram
from lashup.kv.rider import DAY_LIMIT, Rider
from lashup.kv.rows import META_TABLE
from lashup.kv.stamps import last_written

DAY = 86_400.0
#: Days by which clocks of members may differ, and by which a removal may be noted late.
SLACK = 2
#: Seconds after the start in which a horizon is expected to be heard, if there is one.
_LISTENS = 30.0
#: Seconds between two calls that are a stop; they come every second. It matters only in
#: days: who stood for less than half of one has missed no more than `SLACK` covers.
STOP = DAY / 2

_STATE_ROW = b"retirement"
#: The horizon, since when it was away, and the last day on which this was saved.
_STATE = struct.Struct(">HHH")


class Absence:
    """Whether one replica was away, and for whom that makes it outdated.

    Args:
        after: Days for which removals are remembered; 0: for ever.

    Attributes:
        today: In days since 1970, as of the last `load` or `begin_round`.
        horizon: The first day of which a removal may not be missing here; 0: none is.
        away_since: The day on which this replica was switched off, for as long as it
            has not been equal to one that was not away; 0: it was not.
        has_met: Whether it has heard of anybody since the start.
    """

    def __init__(self, *, after: int) -> None:
        self.today = 0
        self.horizon = 0
        self.away_since = 0
        self.has_met = False
        self._after = after
        #: The greatest horizon that anybody has told, whatever is known here.
        self._heard = 0
        #: What came from the disk, while it is not known to be of today.
        self._brought: frozenset[Actor] = frozenset()
        #: What came from the disk.
        self._on_disk: frozenset[Actor] = frozenset()
        self._saved = (0, 0, 0)
        #: The last day on which this replica ran, as far as its clock can be believed.
        self._ran = 0
        #: The greatest horizon of somebody with whom it has been equal since the start.
        self._agreed = 0
        #: Both clocks at the last call.
        self._looked: tuple[float, float] | None = None
        #: When the last round began; None before the first one of a start or return.
        self._began: float | None = None
        self._listens_until = 0.0
        #: Whether it began with nothing, and has met nobody yet that was not away.
        self._is_blank = True
        #: For a day after it was off for some days.
        self._is_new = False

    @property
    def as_of(self) -> int:
        """The last day on which this replica lacked nothing."""
        return self.away_since or self.today

    @property
    def may_forget(self) -> bool:
        """Whether this replica has been here long enough to forget anything."""
        return not (self.away_since or self._is_new)

    def load(self, rows: Mapping[bytes, bytes], facts: FactSet, *, wall: float) -> None:
        """Take over what an earlier life left.

        A disk of a version that did not note the days was last in touch on the day of
        the latest timestamp in its table. The times of the files do not say it: they
        are those of a copy, and change when a database is opened. Without timestamps
        it counts as of today: what it has can come back, and nothing of it is lost.

        Args:
            rows: Of `META_TABLE`; others' rows are passed over.
            facts: What the disk has brought.
            wall: Seconds since 1970.

        Raises:
            MalformedDatagram: They are not what this version writes.
        """
        self.today = day_of(wall)
        row = rows.get(_STATE_ROW)
        if row is not None:
            if len(row) != _STATE.size:
                raise MalformedDatagram(f"a row of retirement of {len(row)} bytes")
            self._saved = _STATE.unpack(row)
        elif written := last_written(fact for _, fact in facts):
            self._saved = 0, 0, day_of(written)
        self.horizon, away_since, self._ran = self._saved
        self.away_since = away_since or self._ran
        if not self._after or not len(facts.context):
            self.away_since = 0
        self._is_blank = not len(facts.context)
        if self.away_since:
            self._is_new = self.today - self.away_since > SLACK
            self._on_disk = frozenset(actor for actor, _ in facts.context.items())
            self._brought = self._on_disk

    def puts(self) -> tuple[tuple[str, bytes, bytes], ...]:
        """What is to be put on disk now, if anything has changed."""
        # While away, a crash must not make it forget that it is.
        state = self.horizon, self.away_since, self._ran
        if not any(state) or state == self._saved:
            return ()
        self._saved = state
        return ((META_TABLE, _STATE_ROW, _STATE.pack(*state)),)

    def puts_as_of(self, day: int) -> tuple[tuple[str, bytes, bytes], ...]:
        """What makes a disk that has nothing yet one that is off since a day."""
        return ((META_TABLE, _STATE_ROW, _STATE.pack(self.horizon, day, day)),)

    def was_stopped(self, context: CausalContext, *, now: float, wall: float) -> bool:
        """Look at both clocks; whether this replica has stopped since the last look.

        The clock of a process stands while its machine is suspended, and runs on while
        the process alone is stopped (SIGSTOP, `docker pause`). So both are looked at.

        Args:
            context: What is known.
            now: The time.
            wall: Seconds since 1970.
        """
        last, self._looked = self._looked, (now, wall)
        if not self._after or last is None:
            return False
        if max(now - last[0], wall - last[1]) < STOP:
            return False
        self._start_anew()
        # Also a clock that is set right looks like this. The day that it showed was
        # wrong then, but not what others have told, and what is on disk.
        known = max(day_of(last[1]), self._ran, self._agreed, self.horizon)
        is_set = now - last[0] < STOP and self.away_since
        # A clock that is set after the start is no reason to drop what was written by
        # then. And what nobody has heard of, nobody has removed.
        if self.has_met and not is_set:
            self._brought = frozenset(actor for actor, _ in context.items())
        self._brought |= self._on_disk
        self.away_since = self.away_since or min(known, day_of(wall))
        return True

    def begin_round(self, *, now: float, wall: float) -> None:
        """A day, or this replica's first one, begins.

        Args:
            now: The time.
            wall: Seconds since 1970.
        """
        self.today = day_of(wall)
        self._ran = max(self._ran, self.today)
        if self._began is None:
            self._listens_until = now + _LISTENS
        elif now - self._began > DAY / 2:
            self._is_new = False
            # A clock that was ahead is so no more: half a day is long for a mistake.
            self._ran = self.today
            if self.away_since >= max(self._heard, self.horizon):
                # Who was met by nobody for so long is in a split cluster.
                self._be_back()
        self._began = now

    def forgot(self, day: int) -> None:
        """A removal of a day is forgotten here."""
        self.horizon = max(self.horizon, day + SLACK)

    def is_behind(self, as_of: int) -> bool:
        """Whether a dump may hold what was removed since, and that is forgotten.

        Args:
            as_of: The day since 1970 on which it was up to date.
        """
        return as_of < max(self.horizon, self._heard)

    def bring(self, actors: Iterable[Actor], *, as_of: int) -> None:
        """Facts of an earlier day are loaded: who has them is as who was off since.

        Args:
            actors: Whose facts.
            as_of: The day.
        """
        if self._after and as_of < self.today - self._after + SLACK:
            self.away_since = min(self.away_since or as_of, as_of)
            self._brought |= frozenset(actors)

    def hear(self, rider: Rider) -> None:
        """Follow what a peer says of the horizon, unless its clock is off."""
        self.has_met = True
        if self._is_possible(rider):
            self._heard = max(self._heard, rider.horizon)

    def is_outdated_for(self, rider: Rider) -> bool:
        """Whether this replica may hold what a peer has seen removed, and forgotten."""
        is_before = 0 < self.away_since < rider.horizon and self._is_possible(rider)
        return is_before and self._is_current(rider)

    def shuns(self, rider: Rider, *, now: float) -> bool:
        """Whether nothing is to be taken from a peer before it has caught up."""
        if not self._after:
            return False
        horizon = max(self._heard, self.horizon)
        if now < self._listens_until:
            # Others may have forgotten that much, and not have been heard yet.
            horizon = max(horizon, self.today - self._after + SLACK)
        return 0 < rider.away_since < horizon

    def took(self, actors: Iterable[Actor], rider: Rider) -> None:
        """A peer has told of some actors: one that was away brings what a disk does."""
        if self._after and rider.away_since and (self.away_since or self._is_blank):
            self._brought |= frozenset(actors)
            since = self.away_since or rider.away_since
            self.away_since = min(since, rider.away_since)

    def returned(self, unknown: Iterable[bytes]) -> list[Actor]:
        """This replica has walked the table of one that was not away.

        Args:
            unknown: Actors of ours that the other does not know.

        Returns:
            Those that are to be dropped: they came from the disk.
        """
        gone = sorted(self._brought.intersection(map(Actor, unknown)))
        # What it has removed itself, nobody would hear of: now they do.
        self._start_anew()
        self._be_back()
        return gone

    def agree(self, rider: Rider) -> None:
        """This replica holds all that a peer does."""
        if self._is_possible(rider):
            self.horizon = max(self.horizon, rider.horizon)
        knows = rider.is_informed or rider.horizon
        if knows and self._is_current(rider):
            self._agreed = max(self._agreed, rider.horizon)
            self._be_back()

    def _start_anew(self) -> None:
        """Forget nothing for a day, which begins with the next round."""
        self._is_new, self._began = True, None

    def _be_back(self) -> None:
        self.away_since, self._brought, self._is_blank = 0, frozenset(), False

    def _is_possible(self, rider: Rider) -> bool:
        """Whether a peer can have forgotten so much, if its clock is right."""
        most = self.today - self._after + SLACK
        return self._after > 0 and rider.horizon <= most

    def _is_current(self, rider: Rider) -> bool:
        """Whether a peer lacks nothing that anybody here has forgotten."""
        # One that is of a day to come says that our own clock is behind.
        return not rider.away_since or abs(rider.away_since - self.today) <= SLACK


def day_of(wall: float) -> int:
    """Days since 1970, within what two bytes hold."""
    return max(1, min(int(wall // DAY), DAY_LIMIT - 1))
