"""What a look at the kernel found, and what is to be done about it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from navstar.allocation import Allocation
from navstar.contest import Contested
from navstar.diff import Delete, Op, Put, diff, without_links
from navstar.overlay import Desired, Underlay
from navstar.overlay_backend import LinkInTheWay
from navstar.stand_in import stand_ins, with_stand_ins
from navstar.succession import Succession, links_of, transition
from navstar.tables import Link, Row
from navstar.withdrawal import Brake, Knowledge, Verdict


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at the kernel found, and what is to be done about it.

    Attributes:
        desired: What should be there.
        actual: What is there; rows of ours only.
        verdict: What of the rest must stay for now.
        in_the_way: Links of others where one of ours should be.
        ops: What takes the kernel to the verdict's aim.
        waiting: What is to be done as well, but not yet: somebody keeps undoing it.
        contested: The rows that somebody keeps undoing.
        links: Those that matter: VTEPs, what is in their way, the device below.
        is_glance: The kernel was not asked: `actual` is what the last pass left.
    """

    desired: Desired = field(default_factory=Desired)
    actual: frozenset[Row] = frozenset()
    verdict: Verdict = field(default_factory=lambda: Verdict(frozenset()))
    in_the_way: tuple[LinkInTheWay, ...] = ()
    ops: tuple[Op, ...] = ()
    waiting: tuple[Op, ...] = ()
    contested: tuple[Contested, ...] = ()
    links: frozenset[str] = frozenset()
    is_glance: bool = False

    @property
    def puts(self) -> int:
        """How many rows are to be put."""
        return sum(isinstance(op, Put) for op in self.ops)

    @property
    def deletes(self) -> int:
        """How many rows are to be deleted."""
        return sum(isinstance(op, Delete) for op in self.ops)


@dataclass(frozen=True, slots=True)
class Host:
    """What a look found, beside rows that are our business.

    Attributes:
        allocation: It was looked at for this one.
        underlay: This agent's place below.
        device: Name of the device below.
        in_the_way: As in `Look`.
        rows: Our rows, as they have been since, as far as is known.
    """

    allocation: Allocation
    underlay: Underlay
    device: str
    in_the_way: tuple[LinkInTheWay, ...]
    rows: frozenset[Row]


def compare(
    desired: Desired,
    host: Host,
    brake: Brake,
    succession: Succession,
    *,
    knowledge: Knowledge,
    now: float,
) -> Look:
    """What there is to be done."""
    # Rows come by the thousand, links do not: they are looked for once.
    wanted, there = links_of(desired.rows), links_of(host.rows)
    taken = {link.name for link in host.in_the_way}
    standing_in = stand_ins(taken, wanted=wanted, there=there.values())
    if standing_in:
        rows = with_stand_ins(desired.rows, host.rows, wanted=wanted, found=standing_in)
        desired, wanted = replace(desired, rows=rows), links_of(rows)
        taken -= {link.name for link in standing_in.values()}
    former, again_at = succession.kept(
        desired.rows, wanted=wanted, there=there, now=now
    )
    if former:
        desired = replace(desired, rows=desired.rows | former)
        wanted |= links_of(former)
    possible = without_links(desired.rows, taken)
    change = transition(
        possible,
        host.rows,
        wanted={name: link for name, link in wanted.items() if name not in taken},
        there=there,
    )
    verdict = brake.judge(possible, change.inherited, knowledge=knowledge, now=now)
    ops = (*change.renames, *diff(verdict.aim, change.found))
    if again_at < verdict.look_again_at:
        verdict = replace(verdict, look_again_at=again_at)
    by = (link.by for link in host.in_the_way)
    names = frozenset({host.device, *wanted, *links_of(verdict.held), *by})
    in_the_way = tuple(_shown(way, standing_in) for way in host.in_the_way)
    return Look(desired, host.rows, verdict, in_the_way, ops, links=names)


def _shown(way: LinkInTheWay, standing_in: Mapping[str, Link]) -> LinkInTheWay:
    """With what becomes of the one that is there."""
    link = standing_in.get(way.name)
    if link is None:
        return way
    words = f"{link.name} goes on with VNI {link.vni} and port {link.port} until then"
    return replace(way, problem=f"{way.problem}; {words}")
