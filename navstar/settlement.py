"""The verdicts on all claims, kept right as claims come and go. Pure.

Theory of operation. Two claims can matter to each other only if they share an
address or their blocks overlap. So claims fall into groups that have nothing to do
with each other (mostly the two families of one agent), and when one claim changes
only its group is settled again, by `navstar.claims.Ledger` and oldest first. The
group is found by two indices: claims by what they claim, and blocks by their
addresses. Each address and each block is followed once, so that a thousand claims to
one MAC cost as much as a thousand others.

Law: the verdicts are those of settling all claims at once.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from navstar.blocks import span
from navstar.claims import (
    Claim,
    Conflict,
    IdentityField,
    IdentityValue,
    Ledger,
    age,
)

#: Whose claim it is, and in which overlay: a node has one in each.
ClaimKey: TypeAlias = tuple[str, str]
_Item: TypeAlias = tuple[IdentityField, IdentityValue]
_Span: TypeAlias = tuple[int, int]


class Settlement:
    """All claims, and what became of each."""

    def __init__(self) -> None:
        self.claims: dict[ClaimKey, Claim] = {}
        #: Those that were refused.
        self.conflicts: dict[ClaimKey, Conflict] = {}
        # A tuple, for nearly always there is one; a set takes 200 bytes.
        self._claimants: dict[_Item, tuple[ClaimKey, ...]] = {}
        self._blocks: dict[str, _Blocks] = {}

    def change(self, changes: Mapping[ClaimKey, Claim | None]) -> set[ClaimKey]:
        """Take in claims that are new, others, or no more (None).

        Returns:
            Every claim whose verdict may be another now, the changed ones included.
        """
        affected = self._group(key for key in changes if key in self.claims)
        for key, claim in changes.items():
            self._forget(key)
            if claim is not None:
                self._enter(key, claim)
        affected |= self._group(affected | changes.keys())
        self._settle(affected)
        return affected

    def _settle(self, keys: Iterable[ClaimKey]) -> None:
        ledger, claims = Ledger(), self.claims
        standing = [key for key in keys if key in claims]
        for key in sorted(standing, key=lambda key: age(claims[key])):
            conflict = ledger.grant(claims[key])
            if conflict is None:
                self.conflicts.pop(key, None)
            else:
                self.conflicts[key] = conflict

    def _group(self, keys: Iterable[ClaimKey]) -> set[ClaimKey]:
        """The claims, and all that matter to them, directly or through others."""
        found = set(keys)
        to_visit = list(found)
        seen: set[object] = set()
        while to_visit:
            claim = self.claims.get(to_visit.pop())
            if claim is None:
                continue
            for key in self._related(claim, seen):
                if key not in found:
                    found.add(key)
                    to_visit.append(key)
        return found

    def _related(self, claim: Claim, seen: set[object]) -> Iterator[ClaimKey]:
        """Who shares something with the claim that was not `seen` before."""
        for item in claim.identity.items():
            if item not in seen:
                seen.add(item)
                yield from self._claimants[item]
        block = claim.overlay, span(claim.block)
        if block not in seen:
            seen.add(block)
            yield from self._blocks[claim.overlay].overlapping(block[1])

    def _enter(self, key: ClaimKey, claim: Claim) -> None:
        self.claims[key] = claim
        for item in claim.identity.items():
            self._claimants[item] = (*self._claimants.get(item, ()), key)
        blocks = self._blocks.setdefault(claim.overlay, _Blocks())
        blocks.add(span(claim.block), key)

    def _forget(self, key: ClaimKey) -> None:
        claim = self.claims.pop(key, None)
        self.conflicts.pop(key, None)
        if claim is None:
            return
        for item in claim.identity.items():
            others = tuple(one for one in self._claimants.pop(item) if one != key)
            if others:
                self._claimants[item] = others
        self._blocks[claim.overlay].discard(span(claim.block), key)


class _Blocks:
    """The blocks of one overlay, by their addresses.

    They are CIDR blocks, so that two of them overlap only if one is inside the other:
    those inside a block begin in it, and those around it begin at one address each
    for every size there is.
    """

    def __init__(self) -> None:
        self._spans: list[_Span] = []
        self._claimants: dict[_Span, tuple[ClaimKey, ...]] = {}
        self._sizes: Counter[int] = Counter()

    def add(self, block: _Span, key: ClaimKey) -> None:
        claimants = self._claimants.get(block, ())
        if not claimants:
            insort(self._spans, block)
            self._sizes[_size(block)] += 1
        self._claimants[block] = (*claimants, key)

    def discard(self, block: _Span, key: ClaimKey) -> None:
        others = tuple(one for one in self._claimants.pop(block) if one != key)
        if others:
            self._claimants[block] = others
            return
        del self._spans[bisect_left(self._spans, block)]
        size = _size(block)
        self._sizes[size] -= 1
        if not self._sizes[size]:
            del self._sizes[size]

    def overlapping(self, block: _Span) -> Iterator[ClaimKey]:
        first, last = block
        at = bisect_left(self._spans, (first, 0))
        while at < len(self._spans) and self._spans[at][0] <= last:
            yield from self._claimants[self._spans[at]]
            at += 1
        for size in self._sizes:
            start = first // size * size
            if start < first:
                yield from self._claimants.get((start, start + size - 1), ())


def _size(block: _Span) -> int:
    return block[1] - block[0] + 1
