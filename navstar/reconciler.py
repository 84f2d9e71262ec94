"""Brings the kernel to what it should be, whenever there is reason to look.

Theory of operation. The schedule says when, `kernel_side` does the pass in a worker
thread, and this file is the only one that makes them meet. One pass is one look and,
if anything differs, one batch of operations. When only the table has changed since
the last pass, and the kernel is being listened to, a glance does: the rows are what
that pass left, and the next audit makes sure. Passes never overlap, with each other or
with a plan or a removal. The kernel's notices are hints only: whatever they say, the
next pass looks at everything of ours.

Stopping leaves the kernel as it is. A pass under way is finished first: it takes
milliseconds, and half a pass is half a path.
"""

from __future__ import annotations

import enum
import math
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import trio

from navstar.allocation import Allocation, IpAddress
from navstar.changed import Changed
from navstar.contest import Contest
from navstar.errors import NavstarError
from navstar.kernel_side import Inputs, KernelSide, PathBelow
from navstar.look import Look
from navstar.overlay_backend import Applied, KernelWatch
from navstar.pass_report import PassReport
from navstar.removal import Removed, remove_everything
from navstar.schedule import FIRST_RETRY, Cause, Schedule, Timing
from navstar.socket_owner import port_owner
from navstar.withdrawal import Caution

AnswerT = TypeVar("AnswerT")


class Mode(enum.Enum):
    """Whether passes take place."""

    #: Nothing is known yet of the allocation, or of the agent's address.
    WAITING = "waiting"
    RECONCILING = "reconciling"
    #: `navstar down` was asked for: nothing of ours is in the kernel.
    DOWN = "down"


@dataclass(slots=True)
class Counters:
    """Since the start.

    Attributes:
        writes: Messages that changed the kernel.
        passes: Looks, with what followed.
        faults: Passes that failed, or of which something was refused.
        refusals: Operations that the kernel turned down.
        seconds: What all passes took.
    """

    writes: int = 0
    passes: int = 0
    faults: int = 0
    refusals: int = 0
    seconds: float = 0.0


class Reconciler:
    """One agent's reconciler.

    Args:
        kernel: Used by nobody else.
        timing: When to look.
        inputs: Asked at the start of each pass; None while it cannot be known.
        on_pass: Told of each pass.
        rng: For the jitter of retries.
    """

    def __init__(
        self,
        kernel: KernelSide,
        timing: Timing,
        *,
        inputs: Callable[[], Inputs | None],
        on_pass: Callable[[PassReport], None],
        rng: random.Random,
    ) -> None:
        self.counters = Counters()
        self.mode = Mode.WAITING
        #: What the latest pass that could be done went by.
        self.programmed: Allocation | None = None
        #: The latest pass.
        self.last: PassReport | None = None
        self._kernel = kernel
        self._inputs = inputs
        self._on_pass = on_pass
        self._contest = Contest(longest_wait=timing.audit_period)
        #: Who has the netlink ports from which rows are contested.
        self._owners: dict[int, str] = {}
        self._schedule = Schedule(timing, rng=rng, now=trio.current_time())
        self._triggered = trio.Event()
        self._busy = trio.Lock()
        self._thread = trio.CapacityLimiter(1)
        self._watch: KernelWatch | None = None
        #: Nothing but changes of the table since the last pass.
        self._is_only_the_table = False
        self._watching = trio.CancelScope()

    def trigger(self, cause: Cause) -> None:
        """Something changed that the kernel may have to follow."""
        if cause is not Cause.TABLE:
            self._is_only_the_table = False
        self._schedule.trigger(cause, now=trio.current_time())
        self._triggered.set()

    def follow(self, caution: Caution, timing: Timing) -> None:
        """Go by other times and another caution from now on."""
        self._kernel.brake.caution = caution
        self._schedule.timing = timing
        self._contest.longest_wait = timing.audit_period

    def confirm(self) -> bool:
        """Release the brake, as the operator says. False if it does not hold."""
        confirmed = self._kernel.brake.confirm()
        if confirmed:
            self.trigger(Cause.OPERATOR)
        return confirmed

    async def run(self) -> None:
        """Look when there is reason to, until cancelled."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._follow_kernel)
                while True:
                    await self._due()
                    async with self._busy:
                        await self._pass()
        finally:
            self._kernel.close()

    async def plan(self) -> Look:
        """What a pass would do now. Changes nothing.

        Raises:
            NavstarError: It cannot be known yet.
            OSError: The kernel cannot be asked.
        """
        inputs = self._inputs()
        if inputs is None:
            raise NavstarError("nothing to plan yet: the allocation is not known")
        async with self._busy:
            now = trio.current_time()
            return await self._in_thread(
                partial(self._kernel.look_only, inputs, now=now)
            )

    async def path_below(self, agent: IpAddress) -> PathBelow | None:
        """How packets to another agent leave this host; None without a route.

        Raises:
            OSError: The kernel cannot be asked.
        """
        async with self._busy:
            return await self._in_thread(partial(self._kernel.path_below, agent))

    async def go_down(self) -> Removed:
        """Stop reconciling, and take everything of ours out of the kernel.

        Raises:
            OSError: The kernel cannot be asked.
        """
        async with self._busy:
            self.mode = Mode.DOWN
            self.last = None
            self._contest.ended(frozenset())
            removed = await self._in_thread(partial(remove_everything, self._kernel))
            self.counters.writes += removed.writes
            return removed

    def come_up(self) -> None:
        """Reconcile again after `go_down`."""
        if self.mode is Mode.DOWN:
            is_known = self._inputs() is not None
            self.mode = Mode.RECONCILING if is_known else Mode.WAITING
            self.trigger(Cause.OPERATOR)

    async def _due(self) -> None:
        """Wait until a pass is due."""
        while trio.current_time() < self._schedule.due_at:
            self._triggered = trio.Event()
            with trio.move_on_at(self._schedule.due_at):
                await self._triggered.wait()
        await trio.lowlevel.checkpoint()

    async def _pass(self) -> None:
        cause = self._schedule.begin()
        if cause is not Cause.TABLE:
            self._is_only_the_table = False
        started_at = trio.current_time()
        inputs = self._inputs()
        if inputs is None or self.mode is Mode.DOWN:
            self._schedule.succeeded(took=0.0, now=started_at)
            return
        self.mode = Mode.RECONCILING
        look, applied, fault, retry_at = Look(), Applied(), "", math.inf
        try:
            question = self._kernel.look
            if self._watch is not None and self._is_only_the_table:
                question = self._kernel.glance
            self._is_only_the_table = True
            look = await self._in_thread(partial(question, inputs, now=started_at))
            look, retry_at = await self._keep_temper(look, started_at)
            if self._watch is not None:
                self._watch.follow(look.links)
            if look.ops:
                applied = await self._in_thread(partial(self._kernel.carry_out, look))
        except NavstarError as error:
            fault = str(error)
        except OSError as error:
            fault = f"the kernel cannot be asked: {error}"
            # The watch knows the writes of the socket that is gone now.
            self._watching.cancel()
        now = trio.current_time()
        took = now - started_at
        report = PassReport(cause, look, applied, took, now, fault, retry_at)
        if report.has_links:
            self.programmed = inputs.allocation
        self._contest.ended(frozenset() if fault else report.standing)
        self._note(report)

    async def _keep_temper(self, look: Look, now: float) -> tuple[Look, float]:
        """Leave for later what somebody keeps undoing; and when that is."""
        told: dict[Changed, int] = {}
        if self._watch is not None:
            told, self._watch.ports = self._watch.ports, {}
        ruling = self._contest.judge(look.ops, look.actual, ports=told, now=now)
        if not (ruling.held or ruling.contested):
            self._owners.clear()
            return look, math.inf
        ports = {one.port for one in ruling.contested}
        # Who has ended keeps the name that it was found by.
        owners = {port: by for port, by in self._owners.items() if port in ports}
        for port in ports - owners.keys():
            owners[port] = await self._in_thread(partial(port_owner, port))
        self._owners = owners
        contested = tuple(replace(c, by=owners[c.port]) for c in ruling.contested)
        look = replace(look, ops=ruling.ops, waiting=ruling.held, contested=contested)
        return look, ruling.look_again_at

    def _note(self, report: PassReport) -> None:
        self.last = report
        self.counters.passes += 1
        self.counters.writes += report.applied.writes
        self.counters.refusals += len(report.refused)
        self.counters.seconds += report.took
        again_at = report.look_again_at
        if report.fault or report.refused:
            self.counters.faults += 1
            self._schedule.failed(took=report.took, now=report.ended_at)
        elif report.look.is_glance:
            self._schedule.glanced(look_again_at=again_at)
        else:
            self._schedule.succeeded(
                took=report.took,
                now=report.ended_at,
                repaired=report.applied.writes,
                look_again_at=again_at,
            )
        self._on_pass(report)

    async def _follow_kernel(self) -> None:
        """Turn the kernel's notices into triggers; without them the audit remains."""
        while True:
            with trio.CancelScope() as self._watching, suppress(OSError):
                await self._watch_kernel()
            await trio.sleep(FIRST_RETRY)

    async def _watch_kernel(self) -> None:
        async with self._busy:
            watch = await self._in_thread(self._kernel.watch)
        with watch:
            self._watch = watch
            # What happened before it was open was not heard.
            self.trigger(Cause.KERNEL)
            try:
                while True:
                    await trio.lowlevel.wait_readable(watch.fileno())
                    if watch.drain():
                        self.trigger(Cause.KERNEL)
            finally:
                self._watch = None

    async def _in_thread(self, call: Callable[[], AnswerT]) -> AnswerT:
        return await trio.to_thread.run_sync(call, limiter=self._thread)
