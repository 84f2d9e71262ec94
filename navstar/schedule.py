"""When the next look at the kernel is due. Pure.

Theory of operation. A cause asks for a pass within its own time: changes of the
table are few and wanted in the kernel quickly, changes that the kernel tells of
come in bursts. The first one that is not served sets the time, later ones do not
put it off, so a steady stream of changes cannot keep a pass from happening.

For events of the kernel that time is the longest: when none has come for `LULL` of
it, the burst is over. So a single fault is repaired at once, and a flush of a
thousand rows is not answered while it goes on.

Looking must not eat the host. A pass that the kernel's events ask for is due only
when `REST` times the last pass' duration has gone by since its end: a bridge full
of starting containers causes events all the time, and hardly any is about us. A pass
that found something to repair was worth it, and more may be broken, as when all
routes are flushed one by one: after it, its own duration is rest enough.

A pass that failed in part is repeated with back-off, first after `FIRST_RETRY`.

A pass for the table's sake may do without looking at the kernel. Such a glance does
not put the audit off, however many there are.
"""

from __future__ import annotations

import enum
import math
import random
from dataclasses import dataclass

#: Passes on kernel events that repair nothing take at most 1 / (1 + REST) of a core.
REST = 10.0
#: Part of the time for events of the kernel after which silence is the end of them.
LULL = 0.2
#: Seconds; doubles up to the audit period.
FIRST_RETRY = 1.0


class Cause(enum.Enum):
    """Why a pass takes place."""

    START = "start"
    TABLE = "table"
    ALLOCATION = "allocation"
    KERNEL = "kernel"
    AUDIT = "audit"
    RETRY = "retry"
    SECOND_LOOK = "second look"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Timing:
    """Durations in seconds.

    Attributes:
        coalesce: From a change of the table or the allocation to the pass.
        kernel_coalesce: From an event of the kernel to the pass, while more come.
        audit_period: Between passes when nothing asks for one.
    """

    coalesce: float
    kernel_coalesce: float
    audit_period: float


class Schedule:
    """One deadline, `due_at`, and the `cause` of it."""

    def __init__(self, timing: Timing, *, rng: random.Random, now: float) -> None:
        self.timing = timing
        self._rng = rng
        self._earliest_for_events = now
        self._audit_at = now + timing.audit_period
        self._retry = FIRST_RETRY
        self._due_at = now
        self._cause = Cause.START
        #: The latest and the present deadline of the kernel's events.
        self._burst_ends_by = self._lull_at = math.inf

    @property
    def due_at(self) -> float:
        """When the next pass is due; may be put off by events of the kernel."""
        return min(self._due_at, self._lull_at)

    @property
    def cause(self) -> Cause:
        """Why it is due."""
        return Cause.KERNEL if self._lull_at < self._due_at else self._cause

    def trigger(self, cause: Cause, *, now: float) -> None:
        """Something happened that a pass should take in."""
        match cause:
            case Cause.TABLE | Cause.ALLOCATION:
                self._bring_forward(now + self.timing.coalesce, cause)
            case Cause.KERNEL:
                most = self.timing.kernel_coalesce
                self._burst_ends_by = min(self._burst_ends_by, now + most)
                lull_at = min(now + LULL * most, self._burst_ends_by)
                self._lull_at = max(lull_at, self._earliest_for_events)
            case _:
                self._bring_forward(now, cause)

    def begin(self) -> Cause:
        """A pass begins; whatever happens from now on asks for another one."""
        cause = self.cause
        self._due_at = self._burst_ends_by = self._lull_at = math.inf
        return cause

    def succeeded(
        self,
        *,
        took: float,
        now: float,
        repaired: int = 0,
        look_again_at: float = math.inf,
    ) -> None:
        """A pass did all it wanted.

        Args:
            took: Its duration.
            now: At its end.
            repaired: How many operations it carried out.
            look_again_at: When what it held back may go.
        """
        self._retry = FIRST_RETRY
        self._ended(took=took, now=now, rest=1.0 if repaired else REST)
        self._bring_forward(look_again_at, Cause.SECOND_LOOK)

    def glanced(self, *, look_again_at: float = math.inf) -> None:
        """A pass did all it wanted without looking at the kernel.

        Args:
            look_again_at: As for `succeeded`.
        """
        self._retry = FIRST_RETRY
        self._bring_forward(self._audit_at, Cause.AUDIT)
        self._bring_forward(look_again_at, Cause.SECOND_LOOK)

    def failed(self, *, took: float, now: float) -> None:
        """A pass failed, or the kernel refused a part of it."""
        self._ended(took=took, now=now, rest=REST)
        # Jitter, so that agents that fail for one reason do not retry in step.
        self._bring_forward(
            now + self._retry * self._rng.uniform(0.8, 1.2), Cause.RETRY
        )
        self._retry = min(2 * self._retry, self.timing.audit_period)

    def _ended(self, *, took: float, now: float, rest: float) -> None:
        self._earliest_for_events = now + rest * took
        self._audit_at = now + self.timing.audit_period
        self._bring_forward(self._audit_at, Cause.AUDIT)

    def _bring_forward(self, at: float, cause: Cause) -> None:
        if at < self._due_at:
            self._due_at = at
            self._cause = cause
