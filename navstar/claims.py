"""Who may have what, when two agents claim the same. Pure.

Theory of operation. A line claims a VTEP address, a MAC, the agent's own addresses
and a block. Claims are taken oldest first, by (time of the claim, node id), which
every agent sees alike; one that contradicts what was granted before is refused, and
a refused claim stands in nobody's way. What an agent says in several overlays and
families is one *identity*: addresses that belong together. Two claims agree when,
sharing one address, they share all that both have; that makes the v4 and v6 lines of
one agent agree, and those of an agent that came back under a new node id.

The cost is a few dictionary look-ups and one bisection per claim. IP addresses are
bytes here: they are looked up again and again, and bytes are hashed quickly.
`navstar.settlement` keeps the answer up to date as claims come and go.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from typing import TypeAlias

from navstar.allocation import Network
from navstar.blocks import span

#: What it is ("VTEP address", "MAC", "agent address"), and where: link and family.
IdentityField: TypeAlias = tuple[str, str]
#: An IP address packed, or a MAC as text.
IdentityValue: TypeAlias = bytes | str
Identity: TypeAlias = Mapping[IdentityField, IdentityValue]


@dataclass(frozen=True, slots=True)
class Claim:
    """What one line claims.

    Attributes:
        overlay: The overlay's subnet, as text.
        identity: The addresses it claims, each under what it is and where.
        block: The agent's block of the overlay.
        node: Id of the claimant.
        name: Its name.
        claimed_at: Hybrid timestamp; the older one wins.
    """

    overlay: str
    identity: Identity
    block: Network
    node: str
    name: str
    claimed_at: int


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two agents claim the same; every agent picks the same winner.

    Attributes:
        what: "VTEP address", "MAC", "agent address" or "block".
        value: What both claim, as the loser writes it.
        overlay: Where the loser claims it.
        winner: Node id of the older claim, which is programmed.
        winner_name: Its name.
        loser: Node id of the other.
        loser_name: Its name.
        held: What the winner has of it, where that is something else: its own block
            that overlaps the loser's.
    """

    what: str
    value: str
    overlay: str
    winner: str
    winner_name: str
    loser: str
    loser_name: str
    held: str = ""

    def __str__(self) -> str:
        winner = f"{self.winner_name} ({self.winner})"
        loser = f"{self.loser_name} ({self.loser})"
        where = f"{self.what} {self.value} in {self.overlay}"
        if self.held:
            theirs = f"{self.held}, held by {winner}"
            return f"{where}: claimed by {loser}, overlaps {theirs}"
        return f"{where}: held by {winner}, also claimed by {loser}"


@dataclass(slots=True)
class _Holder:
    """One identity that was granted, and whose it was first."""

    first: Claim
    identity: dict[IdentityField, IdentityValue] = field(default_factory=dict)
    blocks: dict[str, Network] = field(default_factory=dict)


class Ledger:
    """What has been granted so far. Claims must come in the order of their `age`."""

    def __init__(self) -> None:
        self._holders: dict[tuple[IdentityField, IdentityValue], _Holder] = {}
        # Per overlay the granted blocks, disjoint, by first address.
        self._blocks: dict[str, list[tuple[int, int]]] = {}
        self._block_holders: dict[tuple[str, int], _Holder] = {}

    def grant(self, claim: Claim) -> Conflict | None:
        """Enter the claim, or return what it contradicts."""
        holder: _Holder | None = None
        for item in claim.identity.items():
            found = self._holders.get(item)
            if found is None:
                continue
            if holder not in (None, found) or not _agree(found.identity, claim):
                return _conflict(item[0][0], shown(item[1]), found, claim)
            holder = found
        overlay = claim.overlay
        rival = self._rival_for_block(overlay, claim.block)
        if rival is not None and rival is not holder:
            return _block_conflict(rival, claim)
        held = holder.blocks.get(overlay) if holder else None
        if holder and held not in (None, claim.block):
            what, value = next(iter(claim.identity.items()))
            return _conflict(what[0], shown(value), holder, claim)
        self._enter(claim, holder or _Holder(claim), overlay)
        return None

    def _rival_for_block(self, overlay: str, block: Network) -> _Holder | None:
        """Who holds a block that overlaps, if anybody."""
        spans = self._blocks.setdefault(overlay, [])
        first, last = span(block)
        at = bisect_left(spans, (first, first))
        for start, end in spans[max(at - 1, 0) : at + 1]:
            if start <= last and first <= end:
                return self._block_holders[overlay, start]
        return None

    def _enter(self, claim: Claim, holder: _Holder, overlay: str) -> None:
        holder.identity.update(claim.identity)
        for item in claim.identity.items():
            self._holders[item] = holder
        if overlay not in holder.blocks:
            holder.blocks[overlay] = claim.block
            addresses = span(claim.block)
            insort(self._blocks[overlay], addresses)
            self._block_holders[overlay, addresses[0]] = holder


def age(claim: Claim) -> tuple[int, str, str]:
    """Sorts claims as they are to be granted, alike on every agent."""
    return claim.claimed_at, claim.node, claim.overlay


def shown(value: IdentityValue) -> str:
    """The address as people write it."""
    return value if isinstance(value, str) else str(ip_address(value))


def _agree(held: Identity, claim: Claim) -> bool:
    return all(held.get(what, value) == value for what, value in claim.identity.items())


def _block_conflict(holder: _Holder, claim: Claim) -> Conflict:
    found = _conflict("block", str(claim.block), holder, claim)
    held = holder.blocks[claim.overlay]
    return found if held == claim.block else replace(found, held=str(held))


def _conflict(what: str, value: str, holder: _Holder, claim: Claim) -> Conflict:
    return Conflict(
        what=what,
        value=value,
        overlay=claim.overlay,
        winner=holder.first.node,
        winner_name=holder.first.name,
        loser=claim.node,
        loser_name=claim.name,
    )
