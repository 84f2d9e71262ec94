"""navstar on one host of the world: its pure parts between a table and a fake kernel.

It does what the daemon does: publish this agent's lines, follow the overlay keys,
wait a moment for more changes, then desired rows, brake, diff, apply. What waits and
what blocks there is scheduled on the world's clock here.
"""

from __future__ import annotations

from ipaddress import IPv4Interface, IPv4Network, IPv6Interface, IPv6Network, ip_address

from lashup.crdt.map import MapField
from lashup.kv.subscription import Subscription
from lashup.membership import Liveness
from navstar.allocation import Allocation, Overlay, Vtep
from navstar.diff import diff
from navstar.line import KEY_PREFIX
from navstar.line_codec import key_of, value_of
from navstar.line_table import LineTable
from navstar.overlay import Desired, Underlay, desired_rows
from navstar.publish import Speaker, Withdraw, Write, changes, lines_for
from navstar.withdrawal import Brake, Caution, Knowledge, Release
from simulations.host import Host
from simulations.kernel import FakeKernel
from simulations.world import World

#: Seconds from a change of the table to the pass over the kernel.
_COALESCE = 0.02
#: Seconds between passes without reason.
_AUDIT = 10.0
_CAUTION = Caution(
    max_withdrawal=0.3, brake_delay=10.0, release=Release.BY_DELAY, grace=30.0
)


class Agent:
    """One agent: its host's node must be there when it begins.

    Args:
        world: For the time.
        host: Where it runs.
        number: From 1 to 65,535: its block and addresses follow from it.

    Attributes:
        kernel: Survives the host's node, as containers do.
        passes: Looks at the kernel that found something to do.
    """

    def __init__(self, world: World, host: Host, *, number: int) -> None:
        self.kernel = FakeKernel()
        self.passes = 0
        self._world = world
        self._host = host
        self._allocation = allocation_of(number)
        self._underlay = Underlay(ip_address(host.address[0]))
        self._life = 0
        self._began_at = 0.0
        self._is_due = False
        self._lines = LineTable()
        self._brake = Brake(_CAUTION)
        self._subscription: Subscription | None = None

    def begin(self) -> None:
        """The daemon starts, and the host's node with it."""
        self._life += 1
        self._began_at = self._world.seconds
        self._lines = LineTable()
        self._brake = Brake(_CAUTION)
        self._is_due = False
        node = self._host.running
        self._subscription = node.kv.subscribe((*KEY_PREFIX, ...))
        self._host.follow(self._subscription, self._table_changed)
        self._table_changed()
        self._audit(self._life)

    def desired(self) -> Desired:
        """What its kernel should hold, as far as it knows."""
        return desired_rows(
            self._allocation,
            self._lines.lines,
            underlay=self._underlay,
            me=self._host.running.id.hex(),
        )

    def holds_rows_of(self, lines: int) -> bool:
        """Whether it knows so many lines, and its kernel holds all rows of them."""
        if len(self._lines.lines) != lines:
            return False
        return self.desired().rows <= self.kernel.dump()

    def _table_changed(self) -> None:
        node = self._host.running
        assert self._subscription is not None  # noqa: S101  # begun
        while (change := node.kv.take(self._subscription)) is not None:
            self._lines.update(change.key, change.new)
        self._ask_for_a_pass()

    def _audit(self, life: int) -> None:
        if life == self._life and self._host.node is not None:
            if self._host.is_running:
                self._publish()
                self._ask_for_a_pass()
            self._world.after(_AUDIT, lambda: self._audit(life))

    def _ask_for_a_pass(self) -> None:
        if not self._is_due:
            self._is_due = True
            life = self._life
            self._world.after(_COALESCE, lambda: self._pass_over(life))

    def _pass_over(self, life: int) -> None:
        if life != self._life or not self._host.is_running:
            return
        self._is_due = False
        actual = self.kernel.dump()
        verdict = self._brake.judge(
            self.desired().rows,
            actual,
            knowledge=self._knowledge(),
            now=self._world.seconds,
        )
        ops = diff(verdict.aim, actual)
        if ops:
            self.passes += 1
            self.kernel.apply(ops)
            self._world.trace.event(
                self._world.now, self._host.name, "kernel", ops=len(ops)
            )
            self._world.stepped(self._host)

    def _knowledge(self) -> Knowledge:
        node = self._host.running
        return Knowledge(
            is_synchronised=node.kv.anti_entropy.is_synchronised,
            is_informed=node.kv.anti_entropy.is_informed,
            is_alone=not self._host.config.seeds and len(node.membership.members) == 1,
            running_for=self._world.seconds - self._began_at,
        )

    def _publish(self) -> None:
        node = self._host.running
        speaker = Speaker(
            node.id.hex(), self._host.config.name, self._underlay.agent_ip
        )
        alive = {
            member.id.hex()
            for member in node.membership.members
            if member.liveness <= Liveness.SUSPECT
        }
        if not node.kv.anti_entropy.is_synchronised:
            alive |= {line.node for line in self._lines.lines}
        for change in changes(
            lines_for(self._allocation, speaker),
            self._lines.lines,
            speaker=speaker,
            alive=alive,
        ):
            self._carry_out(change)

    def _carry_out(self, change: Write | Withdraw) -> None:
        line = change.line
        register = MapField().map_field(str(line.vtep)).register(line.node)
        match change:
            case Write():
                operation = register.assign(value_of(line))
                self._host.update(key_of(line.overlay), [operation])
            case Withdraw():
                self._host.update(key_of(line.overlay), [register.remove()])


def allocation_of(number: int) -> Allocation:
    """What agent number so-and-so has been given: one overlay in both families."""
    high, low = number >> 8, number & 255
    vtep = Vtep(
        name="vtep1024",
        vni=1024,
        mac=f"70:b3:d5:80:{high:02x}:{low:02x}",
        address=IPv4Interface(f"44.{128 + (number >> 16)}.{high & 255}.{low}/12"),
        address6=IPv6Interface(f"fd01:a::{number:x}/64"),
    )
    return Allocation(
        overlays=(
            Overlay(
                name="dcos",
                vtep=vtep,
                subnet=IPv4Network("9.0.0.0/8"),
                block=IPv4Network(f"9.{high}.{low}.0/24"),
                subnet6=IPv6Network("fd01:b::/64"),
                block6=IPv6Network(f"fd01:b:0:0:{number:x}::/80"),
            ),
        )
    )
