"""Whether this agent hears the others, and what is refused of what it hears. Pure.

A wrong key looks like silence: datagrams that do not open are never answered. So two
things are watched together, whether anybody has answered, and how many datagrams came
that this agent could not open.
"""

from __future__ import annotations

from collections.abc import Mapping

#: Seconds without an answer until it is a fault. Seeds that start together with this
#: agent answer within one or two.
UNANSWERED_AFTER = 10.0
#: Least seconds between two warnings about datagrams that do not open.
REPEAT_AFTER = 60.0
#: Seconds between two looks.
LOOK_PERIOD = 1.0

#: Why a datagram is refused, as `lashup` counts it: no envelope of ours; a key that
#: the ring lacks; not authentic (damaged, or another cluster); came before; may have.
REASONS = ("malformed", "unknown_key", "forged", "replayed", "out_of_window")
#: Those of another key or another cluster.
_UNOPENED = ("unknown_key", "forged")


class Hearing:
    """What one agent hears, from its start on.

    Args:
        now: On the caller's clock, seconds.

    Attributes:
        refused: Datagrams since the start, by reason.
    """

    def __init__(self, *, now: float) -> None:
        self.refused: dict[str, int] = dict.fromkeys(REASONS, 0)
        self._answered_at = now
        self._silent_for = 0.0
        self._told_at: float | None = None
        self._told_of = 0

    @property
    def silent_for(self) -> float:
        """Seconds since a seed, or who was found by one, answered; 0: they do."""
        return self._silent_for

    @property
    def is_cut_off(self) -> bool:
        """Whether nobody has answered for so long that something must be wrong."""
        return self._silent_for >= UNANSWERED_AFTER

    def look(
        self, statistics: Mapping[str, int | float], *, is_answered: bool, now: float
    ) -> int:
        """Take in how things are now.

        Args:
            statistics: Of the node.
            is_answered: Whether another member lives, or there is nobody to ask.
            now: As for the start.

        Returns:
            How many datagrams have not opened since the last warning, if it is time
            for one; else 0.
        """
        if is_answered:
            self._answered_at = now
        self._silent_for = now - self._answered_at
        for reason in REASONS:
            self.refused[reason] = int(statistics.get(f"seal_{reason}", 0))
        unopened = sum(self.refused[reason] for reason in _UNOPENED)
        is_early = self._told_at is not None and now - self._told_at < REPEAT_AFTER
        if is_early or unopened == self._told_of:
            return 0
        new, self._told_of, self._told_at = unopened - self._told_of, unopened, now
        return new
