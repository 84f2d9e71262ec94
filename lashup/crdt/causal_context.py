"""Causal contexts: which dots a replica has ever seen, in compact form.

Per actor the counters are kept as runs, first and last counter of each. A replica
that has seen everything an actor did has the one run (1, n); that is the rule, and is
kept as the number n alone. What is beyond a gap, because a datagram is still on its
way, makes further runs.

Source: Almeida, Shoker, Baquero, "Delta State Replicated Data Types",
arXiv:1603.01529, section 7.2 (version vector and dot cloud, here in one form).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import TypeAlias

from lashup.crdt.dot import Actor, Dot

#: Sorted, disjoint, and never adjacent: equal sets have one representation.
Runs: TypeAlias = tuple[tuple[int, int], ...]

#: Runs as they are kept, in one form too: ((1, n),) takes 104 bytes more than n.
_Kept: TypeAlias = "int | Runs"


class CausalContext:
    """A set of dots. Changed only by whoever owns it.

    Invariant: for each actor the runs are sorted and at least one counter apart,
    so `==` is set equality.
    """

    __slots__ = ("_runs",)

    def __init__(self, dots: Iterable[Dot] = ()) -> None:
        self._runs: dict[Actor, _Kept] = {}
        for actor, counter in dots:
            self.add_run(actor, counter, counter)

    def __contains__(self, dot: Dot) -> bool:
        kept = self._runs.get(dot[0], 0)
        return 0 < dot[1] <= kept if isinstance(kept, int) else holds(kept, dot[1])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CausalContext):
            return NotImplemented
        return self._runs == other._runs

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __len__(self) -> int:
        """How many actors are known."""
        return len(self._runs)

    def __repr__(self) -> str:
        shown = {actor.hex(): runs for actor, runs in self.items()}
        return f"CausalContext({shown})"

    def items(self) -> Iterator[tuple[Actor, Runs]]:
        """Every actor with its runs, in order of first sight."""
        for actor, kept in self._runs.items():
            yield actor, _runs_of(kept)

    def runs(self, actor: Actor) -> Runs:
        """The counters of one actor that have been seen."""
        kept = self._runs.get(actor)
        return () if kept is None else _runs_of(kept)

    def last(self, actor: Actor) -> int:
        """The greatest counter of an actor that has been seen, 0 for none."""
        kept = self._runs.get(actor, 0)
        return kept if isinstance(kept, int) else kept[-1][1]

    def add_run(self, actor: Actor, first: int, last: int) -> None:
        """Put the counters from `first` to `last` in, both included."""
        self.add_runs(actor, ((first, last),))

    def add_runs(self, actor: Actor, added: Runs) -> None:
        """Put some counters of one actor in; none of them is no error."""
        kept = self._runs.get(actor)
        if kept is None:
            if added:
                self._runs[actor] = _kept(added)
            return
        if isinstance(kept, int) and len(added) == 1 and added[0][0] <= kept + 1:
            # By far the most common: the next one, or one that was seen.
            if added[0][1] > kept:
                self._runs[actor] = added[0][1]
            return
        runs = _runs_of(kept)
        if not includes(runs, added):
            self._runs[actor] = _kept(union(runs, added))

    def forget(self, actor: Actor) -> None:
        """Know nothing of an actor any more; one that was unknown is no error.

        Only where no dot of it can ever come again.
        """
        self._runs.pop(actor, None)

    def update(self, other: CausalContext) -> None:
        """Put all dots of another context in."""
        for actor, runs in other.items():
            self.add_runs(actor, runs)

    def copy(self) -> CausalContext:
        """An independent context with the same dots."""
        twin = CausalContext()
        twin._runs = dict(self._runs)
        return twin


def _kept(runs: Runs) -> _Kept:
    return runs[0][1] if len(runs) == 1 and runs[0][0] == 1 else runs


def _runs_of(kept: _Kept) -> Runs:
    return ((1, kept),) if isinstance(kept, int) else kept


def union(left: Runs, right: Runs) -> Runs:
    """All counters that are in one of two runs, in canonical form."""
    merged: list[tuple[int, int]] = []
    for first, last in sorted((*left, *right)):
        if merged and first <= merged[-1][1] + 1:
            if last > merged[-1][1]:
                merged[-1] = (merged[-1][0], last)
        else:
            merged.append((first, last))
    return tuple(merged)


def within(runs: Runs, first: int, last: int) -> Runs:
    """The part of some runs from `first` to `last`, both included."""
    return tuple(
        (max(start, first), min(end, last))
        for start, end in runs
        if start <= last and end >= first
    )


def difference(left: Runs, right: Runs) -> Runs:
    """The counters that are in the first of two runs only."""
    rest: list[tuple[int, int]] = []
    taken = iter(right)
    hole = next(taken, None)
    for first, last in left:
        start = first
        while hole is not None and hole[0] <= last:
            if hole[0] > start:
                rest.append((start, hole[0] - 1))
            start = max(start, hole[1] + 1)
            if hole[1] > last:
                break  # It reaches into the next run.
            hole = next(taken, None)
        if start <= last:
            rest.append((start, last))
    return tuple(rest)


def without(runs: Runs, counters: Iterable[int]) -> Runs:
    """Some runs less some counters; the counters come in rising order."""
    return difference(runs, tuple((counter, counter) for counter in counters))


def includes(runs: Runs, others: Runs) -> bool:
    """Whether every counter of `others` is in `runs`."""
    if len(runs) == 1:
        # Both are sorted: the outermost bounds say it.
        return not others or (
            runs[0][0] <= others[0][0] and others[-1][1] <= runs[0][1]
        )
    return union(runs, others) == runs


def holds(runs: Runs, counter: int) -> bool:
    """Whether a counter is in some runs."""
    if len(runs) == 1:
        return runs[0][0] <= counter <= runs[0][1]
    at = bisect_right(runs, counter, key=_first) - 1
    return at >= 0 and counter <= runs[at][1]


def _first(run: tuple[int, int]) -> int:
    return run[0]
