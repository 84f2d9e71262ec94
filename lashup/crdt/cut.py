"""A table as it was at one moment, copied bit by bit while it goes on.

To copy a large table at once holds up everybody. But facts never change, they only come
and go, and what comes has a dot that the context did not have. So a cut keeps the
context of its moment, and then takes the facts of one actor after the other, whenever
it suits. What is removed meanwhile from actors not yet taken, the table hands over
first. What is new is told apart by its dot, when the cut is read.

It is a consistent cut: exactly the facts and the context of one moment.
"""

from __future__ import annotations

from lashup.crdt.branch import Leaf
from lashup.crdt.causal_context import CausalContext, holds
from lashup.crdt.dot import Actor
from lashup.crdt.fact import Fact
from lashup.crdt.live import Live


class Cut:
    """The facts and the context of a table at the moment when this is made.

    Args:
        live: The table's facts, which go on changing.
        context: The table's.
    """

    __slots__ = (
        "_actors",
        "_end",
        "_first",
        "_leaves",
        "_live",
        "_removed",
        "context",
    )

    def __init__(self, live: Live, context: CausalContext) -> None:
        #: Of that moment; changed by nobody.
        self.context = context.copy()
        self._live = live
        #: Those whose facts are still to be taken.
        self._actors = self.context.items()
        # All in one long list: a container for each actor would make Python's garbage
        # collector go through the whole table, which takes seconds.
        self._leaves: list[Leaf] = []
        #: Where in it the facts of an actor begin and end, once they are taken.
        self._first: dict[Actor, int] = {}
        self._end: dict[Actor, int] = {}
        #: What went before it was taken.
        self._removed: dict[Actor, list[Leaf]] = {}

    def take(self, count: int) -> bool:
        """Copy the facts of some more actors: about `count`, or one actor's.

        Returns:
            Whether all is taken.
        """
        for actor, _ in self._actors:
            self._first[actor] = len(self._leaves)
            self._leaves += self._live.leaves(actor)
            self._leaves += self._removed.pop(actor, ())
            self._end[actor] = len(self._leaves)
            count -= 1 + self._end[actor] - self._first[actor]
            if count <= 0:
                return False
        return True

    def take_all(self) -> None:
        """Copy what is left, at one go."""
        while not self.take(len(self.context)):
            pass

    def hand_over(self, leaf: Leaf) -> None:
        """The table is about to remove a fact."""
        if leaf.actor not in self._first and leaf.dot in self.context:
            self._removed.setdefault(leaf.actor, []).append(leaf)

    def live(self, actor: Actor) -> dict[int, Fact]:
        """The facts of one actor by counter: once all is taken.

        Changes nothing and looks at nothing that changes: another thread may ask.
        """
        runs = self.context.runs(actor)
        taken = self._leaves[self._first[actor] : self._end[actor]]
        return {leaf.counter: leaf.fact for leaf in taken if holds(runs, leaf.counter)}
