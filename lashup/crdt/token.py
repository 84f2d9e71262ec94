"""What a read has seen, to write only if nothing else has been written since."""

from __future__ import annotations

from lashup.crdt.branch import EMPTY, Branch


class Token:
    """What one reading of a map saw: every fact in it, no more and no fewer.

    Two tokens are equal when the same facts were there, wherever they were read. A
    value that was changed and changed back is another one: its facts are new.
    """

    __slots__ = ("_branch",)

    def __init__(self, branch: Branch) -> None:
        self._branch = branch

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Token):
            return NotImplemented
        return self.is_of(other._branch)

    __hash__ = None  # type: ignore[assignment]  # it would cost a walk over all facts

    def __repr__(self) -> str:
        return f"Token({sum(1 for _ in self._branch.places())} facts)"

    def is_of(self, branch: Branch) -> bool:
        """Whether just the facts it saw are in a map. Costs as much as differs."""
        return _has_the_same_facts(self._branch, branch)


def _has_the_same_facts(one: Branch, two: Branch) -> bool:
    if one is two:
        return True
    # The order of facts at one place is that of arrival, which replicas do not share.
    return set(one.facts) == set(two.facts) and all(
        _has_the_same_facts(one.child(step) or EMPTY, two.child(step) or EMPTY)
        for step in one.differing(two)
    )
