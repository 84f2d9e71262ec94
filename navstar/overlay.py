"""The rows this agent's kernel should have: from its allocation and all lines. Pure.

Theory of operation. The allocation gives what does not depend on others: link,
addresses, rules. Each line of another agent that fits (`navstar.line_fitness`) makes
a claim; `navstar.settlement` says whose stand; each granted claim becomes neighbour,
FDB row, the route to its block in main and the route to the agent's own address in
table 42 (`navstar.peer_rows`). What does not fit is skipped alone and shown with the
reason; it never stops the others.

Of a thousand agents one changes. So `DesiredState` keeps what it worked out and
follows the difference. Law: whatever came before, it says what it would have said
had it seen the latest lines only.

The underlay is one family, that of `Underlay.agent_ip`: a VXLAN device carries no
other. Toward agents that are on the other one a second device stands beside it, if
this agent has an address there. Both overlay families ride on either, and each stands
without the other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from navstar.allocation import Allocation, Network, Skipped
from navstar.blocks import overlap
from navstar.claims import (
    Claim,
    Conflict,
    IdentityField,
    IdentityValue,
    age,
    shown,
)
from navstar.line import Line
from navstar.line_fitness import (
    LineClaim,
    claim_of,
    identity,
    misfit,
    text_of,
)
from navstar.own_ground import Underlay, own_ground
from navstar.peer_rows import PeerRows, metric_of
from navstar.settlement import ClaimKey, Settlement
from navstar.tables import OVERLAY_TABLE, RULE_PRIORITY, Row

__all__ = [
    "Conflict",
    "Desired",
    "DesiredState",
    "SkippedLine",
    "Underlay",
    "desired_rows",
    "metric_of",
]

#: Later than any hybrid timestamp: the age of a claim that is not published yet.
_NOT_YET = 2**64


@dataclass(frozen=True, slots=True)
class SkippedLine:
    """A line of another agent that gives no rows, and why."""

    node: str
    name: str
    overlay: str
    reason: str


@dataclass(frozen=True, slots=True)
class Desired:
    """What `desired_rows` found.

    Attributes:
        rows: At most one per kernel key.
        skipped: Lines of others that give no rows.
        conflicts: Claims that lost against older ones; they give no rows either.
        unusable: Overlays of the allocation that give no rows, in one family or both.
        own: How many lines are this agent's own.
        agents: Node ids that rows lead to.
        blocks: This agent's own.
    """

    rows: frozenset[Row] = frozenset()
    skipped: tuple[SkippedLine, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    unusable: tuple[Skipped, ...] = ()
    own: int = 0
    agents: frozenset[str] = frozenset()
    blocks: tuple[Network, ...] = ()


def desired_rows(
    allocation: Allocation,
    lines: Iterable[Line],
    *,
    underlay: Underlay,
    me: str,
    table: int = OVERLAY_TABLE,
    rule_priority: int = RULE_PRIORITY,
) -> Desired:
    """Return all rows that this agent's kernel should have, and what was left out.

    Args:
        allocation: This agent's overlays, checked.
        lines: All lines of the table, in any order.
        underlay: This agent's own place below.
        me: This agent's node id, as lines carry it.
        table: Where the routes to the agents' own addresses go.
        rule_priority: Of the rules that lead there.
    """
    state = DesiredState(
        allocation, underlay=underlay, me=me, table=table, rule_priority=rule_priority
    )
    return state.follow(lines)


class DesiredState:
    """The rows that this agent's kernel should have, as lines come and go.

    Args:
        allocation: As for `desired_rows`.
        underlay: As for `desired_rows`.
        me: As for `desired_rows`.
        table: As for `desired_rows`.
        rule_priority: As for `desired_rows`.
    """

    def __init__(
        self,
        allocation: Allocation,
        *,
        underlay: Underlay,
        me: str,
        table: int = OVERLAY_TABLE,
        rule_priority: int = RULE_PRIORITY,
    ) -> None:
        self._me = me
        self._underlay = underlay
        self._ground = own_ground(
            allocation, underlay, table=table, rule_priority=rule_priority
        )
        self._places = {
            text_of(net): place for net, place in self._ground.places.items()
        }
        # The lines of the latest call by identity: they never change, and comparing
        # them field by field costs more than all the rest.
        self._lines: dict[int, Line] = {}
        self._said: dict[ClaimKey, tuple[Line, ...]] = {}
        self._unfit: dict[ClaimKey, tuple[SkippedLine, ...]] = {}
        self._taking_ours: dict[ClaimKey, SkippedLine] = {}
        self._settlement = Settlement()
        self._peers = PeerRows(table)
        ours = {(me, overlay): self._own_claim(overlay) for overlay in self._places}
        self._own = _own_identity(ours.values(), underlay)
        self._settlement.change(ours)
        self._desired = self._conclusion()

    def follow(self, lines: Iterable[Line]) -> Desired:
        """The rows, now that these are all the lines of the table.

        Costs as much as differs from the lines of the call before, if those that are
        the same are the same objects.
        """
        now = {id(line): line for line in lines}
        gone, new = self._lines.keys() - now.keys(), now.keys() - self._lines.keys()
        if not (gone or new):
            return self._desired
        touched: set[ClaimKey] = set()
        for number in gone:
            touched.add(self._unsay(self._lines[number]))
        for number in new:
            touched.add(self._say(now[number]))
        self._lines = now
        claims = {key: self._claim(key) for key in touched}
        for key in self._settlement.change(claims):
            self._peers.program(key, self._programmed(key))
        self._desired = self._conclusion()
        return self._desired

    def _say(self, line: Line) -> ClaimKey:
        key = line.node, text_of(line.overlay)
        self._said[key] = (*self._said.get(key, ()), line)
        return key

    def _unsay(self, line: Line) -> ClaimKey:
        key = line.node, text_of(line.overlay)
        others = tuple(one for one in self._said.pop(key) if one is not line)
        if others:
            self._said[key] = others
        return key

    def _claim(self, key: ClaimKey) -> Claim | None:
        """What a node claims in an overlay by its lines there, if anything."""
        node, overlay = key
        if node == self._me:
            return self._own_claim(overlay) if overlay in self._places else None
        place, fitting, unfit = self._places.get(overlay), [], []
        for line in self._said.get(key, ()):
            reason = (
                misfit(line, place) if place else "this agent is not in the overlay"
            )
            if reason is None:
                fitting.append(line)
            else:
                unfit.append(_skipped(line, reason))
        if len(fitting) > 1:
            fitting.sort(key=_newest_first)
        # What an agent says last of itself replaces what it said before.
        unfit += [_skipped(x, "the agent published a newer line") for x in fitting[1:]]
        self._unfit.pop(key, None)
        if unfit:
            self._unfit[key] = tuple(unfit)
        return claim_of(fitting[0], place) if place and fitting else None

    def _own_claim(self, overlay: str) -> Claim:
        """What this agent claims by its allocation, as old as its line is."""
        place = self._places[overlay]
        lines = self._said.get((self._me, overlay), ())
        line = min(lines, key=_newest_first, default=None)
        return Claim(
            overlay=overlay,
            identity=identity(
                place,
                vtep=place.vtep.ip,
                mac=place.link.mac,
                agent=(self._underlay.agent_ip,),
            ),
            block=place.block,
            node=self._me,
            name=line.name if line else "this agent",
            claimed_at=line.claimed_at if line else _NOT_YET,
        )

    def _programmed(self, key: ClaimKey) -> LineClaim | None:
        """The claim, if rows should lead to who made it."""
        self._taking_ours.pop(key, None)
        claim = self._settlement.claims.get(key)
        if not isinstance(claim, LineClaim) or key in self._settlement.conflicts:
            return None
        reason = _takes_ours(claim, self._own)
        if reason is None:
            return claim
        self._taking_ours[key] = _skipped(claim.line, reason)
        return None

    def _conclusion(self) -> Desired:
        unfit = (one for some in self._unfit.values() for one in some)
        claims, conflicts = self._settlement.claims, self._settlement.conflicts
        losers = sorted(conflicts, key=lambda key: age(claims[key]))
        mine = (said for key, said in self._said.items() if key[0] == self._me)
        return Desired(
            rows=self._peers.rows | self._ground.rows,
            skipped=tuple(sorted((*unfit, *self._taking_ours.values()), key=str)),
            conflicts=tuple(conflicts[key] for key in losers),
            unusable=self._ground.unusable,
            own=sum(map(len, mine)),
            agents=frozenset(node for node, _ in self._peers.claims),
            blocks=tuple(place.block for place in self._places.values()),
        )


def _newest_first(line: Line) -> tuple[int, str]:
    return -line.claimed_at, str(line)


def _own_identity(
    ours: Iterable[Claim], underlay: Underlay
) -> frozenset[tuple[IdentityField, IdentityValue]]:
    """Every address that is this agent's own."""
    found = {item for claim in ours for item in claim.identity.items()}
    for address in underlay.addresses:
        found.add((("agent address", str(address.version)), address.packed))
    return frozenset(found)


def _takes_ours(
    claim: LineClaim, own: frozenset[tuple[IdentityField, IdentityValue]]
) -> str | None:
    """Why the claim, though granted, must not be programmed on this agent."""
    for item in claim.identity.items():
        if item in own:
            return f"{item[0][0]} {shown(item[1])} is this agent's own"
    block = claim.place.block
    if overlap(claim.block, block):
        return f"block {claim.block} overlaps this agent's own {block}"
    return None


def _skipped(line: Line, reason: str) -> SkippedLine:
    return SkippedLine(line.node, line.name, str(line.overlay), reason)
