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
from lashup.errors import MalformedDatagram
from lashup.kv.rider import DAY_LIMIT, Rider
from lashup.kv.rows import META_TABLE

DAY = 86_400.0
#: Days by which clocks of members may differ, and by which a removal may be noted late.
SLACK = 2
#: Seconds after the start in which a horizon is expected to be heard, if there is one.
_LISTENS = 30.0

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
    """

    def __init__(self, *, after: int) -> None:
        self.today = 0
        self.horizon = 0
        self.away_since = 0
        self._after = after
        #: The greatest horizon that anybody has told, whatever is known here.
        self._heard = 0
        #: What came from the disk, while it is not known to be of today.
        self._brought: frozenset[Actor] = frozenset()
        self._saved = (0, 0, 0)
        #: When the last round began, on both clocks.
        self._began: tuple[float, float] | None = None
        self._listens_until = 0.0
        #: For a day after it was off for some days.
        self._is_new = False

    @property
    def may_forget(self) -> bool:
        """Whether this replica has been here long enough to forget anything."""
        return not (self.away_since or self._is_new)

    def load(
        self, rows: Mapping[bytes, bytes], context: CausalContext, *, wall: float
    ) -> None:
        """Take over what an earlier life left.

        Args:
            rows: Of `META_TABLE`; others' rows are passed over.
            context: What the disk has brought.
            wall: Seconds since 1970.

        Raises:
            MalformedDatagram: They are not what this version writes.
        """
        self.today = day_of(wall)
        state = rows.get(_STATE_ROW)
        if state is None:
            return
        if len(state) != _STATE.size:
            raise MalformedDatagram(f"a row of retirement of {len(state)} bytes")
        self._saved = _STATE.unpack(state)
        self.horizon, away_since, ran = self._saved
        if self._after and len(context):
            self.away_since = away_since or ran
            self._is_new = self.today - self.away_since > SLACK
            self._brought = frozenset(actor for actor, _ in context.items())

    def puts(self) -> tuple[tuple[str, bytes, bytes], ...]:
        """What is to be put on disk now, if anything has changed."""
        # While away, a crash must not make it forget that it is.
        state = self.horizon, self.away_since, self.today
        if not self.today or state == self._saved:
            return ()
        self._saved = state
        return ((META_TABLE, _STATE_ROW, _STATE.pack(*state)),)

    def begin_round(self, actors: Iterable[Actor], *, now: float, wall: float) -> None:
        """A day, or this replica's first one, begins.

        Args:
            actors: All that are known.
            now: The time.
            wall: Seconds since 1970.
        """
        if self._began is None:
            self._listens_until = now + _LISTENS
        else:
            ran = now - self._began[0]
            was_stopped = wall - self._began[1] - ran > DAY / 2
            if was_stopped:  # Or the clock was set.
                self.away_since, self._brought = self.today, frozenset(actors)
                self._is_new = True
            elif ran > DAY / 2:
                self._is_new = False
                if self.away_since >= max(self._heard, self.horizon):
                    # Who was met by nobody for so long is in a split cluster.
                    self._be_back()
        self._began = now, wall
        self.today = day_of(wall)

    def forgot(self, day: int) -> None:
        """A removal of a day is forgotten here."""
        self.horizon = max(self.horizon, day + SLACK)

    def is_behind(self, made: float) -> bool:
        """Whether a dump may hold what was removed since, and that is forgotten.

        Args:
            made: Seconds since 1970.
        """
        return day_of(made) < max(self.horizon, self._heard)

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
        if not self._after:
            return False
        horizon = max(self._heard, self.horizon)
        if now < self._listens_until:
            # Others may have forgotten that much, and not have been heard yet.
            horizon = max(horizon, self.today - self._after + SLACK)
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

    def _be_back(self) -> None:
        self.away_since, self._brought = 0, frozenset()

    def _is_possible(self, rider: Rider) -> bool:
        """Whether a peer can have forgotten so much, if its clock is right."""
        most = self.today - self._after + SLACK
        return self._after > 0 and rider.horizon <= most

    def _is_current(self, rider: Rider) -> bool:
        """Whether a peer lacks nothing that anybody here has forgotten."""
        return not rider.away_since or rider.away_since + SLACK >= self.today


def day_of(wall: float) -> int:
    """Days since 1970, within what two bytes hold."""
    return max(1, min(int(wall // DAY), DAY_LIMIT - 1))
