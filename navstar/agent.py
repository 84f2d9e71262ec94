"""One agent while it runs: what it knows, and who tells whom.

source -> allocation -> publisher -> lashup's table -> lines -> reconciler -> kernel
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import TYPE_CHECKING

import trio

from lashup import ANY, Key, RunningNode
from navstar.agent_address import agent_address, of_family, overlaid, usable
from navstar.allocation import Allocation, IpAddress
from navstar.beat import next_beat
from navstar.config import Config
from navstar.farewell import answer_farewells
from navstar.hearing import LOOK_PERIOD, Hearing
from navstar.kernel_side import Inputs, KernelSide
from navstar.leases import follow_leases
from navstar.line import KEY_PREFIX, Line
from navstar.line_table import LineTable
from navstar.mooring import Mooring
from navstar.notices import Notices, name_conflicts, said
from navstar.pass_report import PassReport
from navstar.publish import Speaker
from navstar.publisher import Publisher, Speech
from navstar.reconciler import Reconciler
from navstar.reload import caution, timing
from navstar.schedule import Cause
from navstar.sources import Fault, Reading, Source
from navstar.sources.opening import open_source, without_ipv6
from navstar.withdrawal import Brake, Knowledge

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger


class Agent:
    """One agent while it runs; `commands` answers the operator from it.

    Attributes:
        config: As read.
        node: Of lashup.
        source: Where the allocation comes from.
        table: The lines of all agents.
        allocation: None until the source has said something.
        source_fault: Why the source cannot be read now; empty if it can.
        agent_ip: This agent's underlay address; None while unknown.
        hearing: Whether the others are heard.
        stop: Set to end the daemon.
    """

    def __init__(
        self,
        config: Config,
        node: RunningNode,
        *,
        log: FilteringBoundLogger,
        rng: random.Random,
    ) -> None:
        self.config = config
        self.node = node
        self.rng = rng
        self.log = log
        self.source: Source = open_source(config, rng=rng)
        self.table = LineTable()
        self.allocation: Allocation | None = None
        self.source_fault = ""
        self.agent_ip: IpAddress | None = None
        self.started_at = trio.current_time()
        self.hearing = Hearing(now=self.started_at)
        self.stop = trio.Event()
        self._is_synchronised = False
        #: What the others may be told: the allocation, the second links.
        self._programmed: Allocation | None = None
        self._dual: frozenset[str] | None = None
        self._reading = trio.Lock()
        self._notices = Notices(log)
        self.publisher = Publisher(
            node,
            speech=self._speech,
            on_change=self._notices.tell_change,
            period=config.reconcile.audit_period,
        )
        self.mooring = Mooring(
            node,
            lambda: self.config,
            overlaid=lambda: overlaid(self.allocation, self._said()),
            on_settled=self.publisher.look,
            log=log,
        )
        self.reconciler = Reconciler(
            KernelSide(
                Brake(caution(config.reconcile)),
                table=config.overlay.table,
                rule_priority=config.overlay.rule_priority,
            ),
            timing(config.reconcile),
            inputs=self._inputs,
            on_pass=self._after_pass,
            rng=rng,
        )

    @property
    def me(self) -> str:
        """This agent's node id, as lines carry it."""
        return self.node.id.hex()

    async def run(self) -> None:
        """Do the agent's work, until cancelled."""
        # What the disk remembers counts from the first pass on.
        await self._read_table()
        send, receive = trio.open_memory_channel[Reading](1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.source.run, send)
            nursery.start_soon(self._follow_source, receive)
            nursery.start_soon(self._follow_table)
            nursery.start_soon(self._follow_members)
            nursery.start_soon(self._follow_hearing)
            nursery.start_soon(self._await_synchronised)
            nursery.start_soon(answer_farewells, self.node, self._is_gone)
            nursery.start_soon(self.publisher.run)
            nursery.start_soon(self.mooring.run)
            nursery.start_soon(self._follow_leases)
            nursery.start_soon(self.reconciler.run)

    async def _follow_source(
        self, readings: trio.MemoryReceiveChannel[Reading]
    ) -> None:
        async for reading in readings:
            if isinstance(reading, Fault):
                self.source_fault = reading.reason
                self._notices.tell("source faulty", [reading.reason])
                continue
            self.source_fault = ""
            self._notices.tell("source faulty", [])
            self._notices.tell("overlay skipped", map(said, reading.skipped))
            if not self.config.overlay.enable_ipv6:
                reading = without_ipv6(reading)
            self.log.info("allocation", overlays=[one.name for one in reading.overlays])
            self.allocation = reading
            self.publisher.look()
            self.reconciler.trigger(Cause.ALLOCATION)

    async def _follow_table(self) -> None:
        async with self.node.kv.subscribe((*KEY_PREFIX, ANY)) as changes:
            # Once more: something may have come since it was read first.
            await self._read_table()
            async for change in changes:
                await self._read_key(change.key)

    async def lines_now(self) -> tuple[Line, ...]:
        """Every line of the table, also those that nobody was told of yet."""
        await self._read_table()
        return self.table.lines

    async def _read_table(self) -> None:
        for key in self.node.kv.keys((*KEY_PREFIX, ANY)):
            await self._read_key(key)

    async def _read_key(self, key: Key) -> None:
        """Take in what a key holds now; others may go on between two lines."""
        async with self._reading:
            before = self.table.lines, self.table.bad_lines
            for _ in self.table.steps_of_update(key, self.node.kv.get(key)):
                await trio.lowlevel.checkpoint()
        if self.table.bad_lines is not before[1]:
            self._notices.tell("bad line", map(said, self.table.bad_lines))
        if self.table.lines is not before[0]:
            self.publisher.look()
            self.reconciler.trigger(Cause.TABLE)

    async def _follow_members(self) -> None:
        async with self.node.events() as events:
            async for event in events:
                self._notices.tell_member(event)
                live = self.node.live_members()
                self._notices.tell("name conflict", name_conflicts(live))
                self.publisher.look()

    async def _follow_hearing(self) -> None:
        while True:
            unopened = self.hearing.look(
                self.node.statistics(),
                is_answered=self._is_answered(),
                now=trio.current_time(),
            )
            self._notices.tell_hearing(
                is_cut_off=self.hearing.is_cut_off, unopened=unopened
            )
            await next_beat(LOOK_PERIOD)

    async def _follow_leases(self) -> None:
        await follow_leases(
            self.node,
            self.table,
            self.publisher,
            lease=lambda: self.config.reconcile.lease,
            log=self.log,
        )

    def _is_answered(self) -> bool:
        """Whether somebody lives whom the seeds told of, or there is nobody to ask."""
        others = (one.id != self.node.id for one in self.node.live_members())
        return not self._other_seeds() or any(others)

    def _other_seeds(self) -> set[tuple[str, int]]:
        return set(self.config.lashup.seeds) - {self.node.address}

    @property
    def is_alone(self) -> bool:
        """Whether no other agent is known, nor any seed that could be one."""
        return not self._other_seeds() and all(
            one.id == self.node.id for one in self.node.members()
        )

    async def _await_synchronised(self) -> None:
        await self.node.kv.wait_synchronised()
        # The changes that made it so may not have been taken yet.
        await self._read_table()
        self._is_synchronised = True
        self.log.info("synchronised", lines=len(self.table.lines))
        self.publisher.look()
        self.reconciler.trigger(Cause.TABLE)

    def _after_pass(self, report: PassReport) -> None:
        self._notices.tell_pass(report)
        done, dual = self.reconciler.programmed, self._dual
        if done is not None and not report.fault:
            dual = report.seconds
        if done is not self._programmed or dual != self._dual:
            self._programmed, self._dual = done, dual
            self.publisher.look()

    def _speech(self) -> Speech | None:
        speaker = self._speaker()
        if self.allocation is None or speaker is None or self.mooring.is_adrift():
            return None
        is_done = self._programmed is self.allocation
        return Speech(self.allocation, speaker, self.table.lines, is_done)

    def _inputs(self) -> Inputs | None:
        speaker = self._speaker()
        if self.allocation is None or speaker is None:
            return None
        return Inputs(
            allocation=self.allocation,
            lines=self.table.lines,
            me=self.me,
            agent_ip=speaker.agent_ip,
            knowledge=self._knowledge(),
            second_ip=speaker.underlay4 or speaker.underlay6,
        )

    def _speaker(self) -> Speaker | None:
        """Looked up each time: the host's addresses may change."""
        self.mooring.look()
        if self.allocation is None:
            return None
        before = self.agent_ip or self._address_said_before()
        own = usable((*self.node.addresses, *self.config.lashup.bind))
        found = agent_address(self.config, self.allocation, own=own, before=before)
        unknown = "nothing tells this agent's address: set [overlay] agent_ip"
        self._notices.tell("agent address unknown", [] if found else [unknown])
        if found is None:
            return None
        if found != self.agent_ip:
            self.agent_ip = found
            self.publisher.look()
        return Speaker(
            node=self.me,
            name=self.node.name,
            agent_ip=found,
            underlay4=of_family(own, 4) if found.version == 6 else None,
            underlay6=of_family(own, 6) if found.version == 4 else None,
            dual=self._dual,
        )

    def _address_said_before(self) -> IpAddress | None:
        """What this agent has told the others in an earlier run."""
        return next((line.agent_ip for line in self._said()), None)

    def _said(self) -> Iterator[Line]:
        """The lines of the table that are this agent's own."""
        return (line for line in self.table.lines if line.node == self.me)

    def _knowledge(self) -> Knowledge:
        return Knowledge(
            is_synchronised=self._is_synchronised,
            is_informed=self.node.kv.is_informed,
            is_alone=self.is_alone,
            running_for=trio.current_time() - self.started_at,
        )

    def _is_gone(self, node: str) -> bool:
        return not any(line.node == node for line in self.table.lines)
