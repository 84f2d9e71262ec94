"""What the operator is told in the log: each thing when it begins and when it ends.

A pass comes round every few seconds, and what is wrong stays wrong for hours. So a
conflict, a skipped line or a refused row is one line when it is first seen and one
when it is over.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING

from lashup import Conflict as MemberConflict
from lashup import (
    DiskFull,
    Failed,
    Joined,
    Left,
    Member,
    PathNarrow,
    PathWide,
    Returned,
    SeedsUnread,
    SendRefused,
    Suspected,
)
from navstar.allocation import Skipped
from navstar.hearing import UNANSWERED_AFTER
from navstar.line_codec import BadLine
from navstar.overlay import Conflict, SkippedLine
from navstar.overlay_backend import LinkInTheWay
from navstar.pass_report import PassReport
from navstar.publish import Withdraw, Write
from navstar.succession import other_vxlans

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger


def said(thing: Skipped | SkippedLine | LinkInTheWay | Conflict | BadLine) -> str:
    """The thing in words, for logs and the status."""
    match thing:
        case SkippedLine(node, name, overlay, reason):
            return f"{name} ({node}) in {overlay}: {reason}"
        case Skipped(name, reason):
            return f"{name}: {reason}"
        case LinkInTheWay(name, problem, _):
            return f"{name}: {problem}"
        case Conflict() | BadLine():
            return str(thing)


def address_text(address: tuple[str, int]) -> str:
    """As the configuration writes it."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def name_conflicts(members: Iterable[Member]) -> list[str]:
    """Names that more than one live member has, with their holders."""
    holders: defaultdict[str, list[Member]] = defaultdict(list)
    for member in members:
        if member.liveness.is_live:
            holders[member.name].append(member)
    return [
        f"name {name!r}: several agents have it: {_listed(several)}; "
        "give each its own [node] name"
        for name, several in sorted(holders.items())
        if len(several) > 1
    ]


def _listed(members: Iterable[Member]) -> str:
    ordered = sorted(members, key=lambda member: member.id)
    return ", ".join(f"{one.id.hex()} at {_listens_at(one)}" for one in ordered)


def _listens_at(member: Member) -> str:
    """Where a member listens first, as the configuration writes it."""
    host, port = member.addresses[0]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


#: Lines per kind and pass: a thousand bad ones are a number, and not a thousand lines.
MOST = 10


class Notices:
    """Writes to the log, and remembers what it has said."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        self._log = log
        self._standing: dict[str, frozenset[str]] = {}

    def tell(self, kind: str, texts: Iterable[str]) -> None:
        """Say which things of a kind are new, and which are over."""
        now = frozenset(texts)
        before = self._standing.get(kind, frozenset())
        self._standing[kind] = now
        new, over = sorted(now - before), sorted(before - now)
        for text in new[:MOST]:
            self._log.warning(kind, what=text)
        for text in over[:MOST]:
            self._log.info(f"{kind} is over", what=text)
        if len(new) > MOST or len(over) > MOST:
            self._log.warning(f"more: {kind}", new=len(new), over=len(over))

    def tell_member(self, event: object) -> None:
        """Say who came, went, or does not answer."""
        match event:
            case Joined(member):
                self._log.info("member joined", **_who(member))
            case Returned(member):
                self._log.info("member returned", **_who(member))
            case Left(member):
                self._log.info("member left", **_who(member))
            case Failed(member):
                self._log.warning("member failed", **_who(member))
            case Suspected(member):
                self._log.debug("member suspected", **_who(member))
            case MemberConflict(member, keeper) if member.id == keeper.id:
                self._log.error(
                    "another process is this agent, too: a copied data directory; "
                    "empty the copy, where the node is not to be",
                    **_who(member),
                )
            case SeedsUnread(problem):
                self._log.warning("seeds cannot be read", why=problem)
            case DiskFull(problem):
                self._log.error("disk full", why=problem)
            case SendRefused(address, reason):
                self._log.warning("cannot send", to=address_text(address), why=reason)
            case PathNarrow() | PathWide():
                self._log.warning("path to a member", news=str(event))
            case _:
                self._log.debug("membership", news=str(event))

    def tell_hearing(self, *, is_cut_off: bool, unopened: int) -> None:
        """Say that nobody answers, or that datagrams come that do not open."""
        silence = f"no seed has answered for {UNANSWERED_AFTER:.0f} s"
        self.tell("seeds silent", [silence] if is_cut_off else [])
        if unopened:
            self._log.warning(
                f"{unopened} datagrams did not open: another key or cluster"
            )

    def tell_pass(self, report: PassReport) -> None:
        """Say what a pass changed, and what stands in its way."""
        self.tell("pass failed", [report.fault] if report.fault else [])
        if report.fault:
            return
        look = report.look
        if look.ops:
            self._log.info(
                "reconciled",
                cause=report.cause.value,
                puts=look.puts,
                deletes=look.deletes,
                refused=len(report.refused),
                agents=len(look.desired.agents),
                ms=round(report.took * 1000, 1),
            )
        reason = look.verdict.reason
        self.tell("withdrawal held", [reason] if reason else [])
        self.tell("conflict", map(said, look.desired.conflicts))
        self.tell("line skipped", map(said, look.desired.skipped))
        self.tell("another VXLAN", other_vxlans(look.verdict.aim))
        self.tell("overlay unusable", map(said, look.desired.unusable))
        self.tell("foreign link in the way", map(said, look.in_the_way))
        self.tell("row contested", map(str, look.contested))
        self.tell("row refused", report.complaints)

    def tell_change(self, change: Write | Withdraw) -> None:
        """Say what was written to the table."""
        line = change.line
        self._log.info(
            "published" if isinstance(change, Write) else "withdrawn",
            overlay=str(line.overlay),
            vtep=str(line.vtep),
            subnet=str(line.subnet),
            agent_ip=str(line.agent_ip),
        )


def _who(member: Member) -> dict[str, str]:
    return {
        "member": member.name,
        "address": _listens_at(member),
        "id": member.id.hex(),
    }
