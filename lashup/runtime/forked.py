"""What a node has open is its own process's, and not that of processes it forks.

A child that was forked (`multiprocessing`, a process pool) has every descriptor of its
parent. It would keep the directory locked, the port bound and the wires of dead parents
whole, for as long as it lives. And a child that closes the database folds its log in
and removes it, while the parent goes on to write into the removed file.

So an owner lets go of all it has in the child, right after the fork. What was a
descriptor becomes `/dev/null` under the same number: whoever closes it later closes
nothing of somebody else's.

Source: https://www.sqlite.org/howtocorrupt.html, 2.6
"""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet


class Owner(Protocol):
    """Something with descriptors."""

    def leave_to_parent(self) -> None:
        """Called in a child that was forked: let go, and change nothing outside."""
        ...


_OWNERS: WeakSet[Owner] = WeakSet()


def own(owner: Owner) -> None:
    """Have an owner let go in children, as long as it lives."""
    _OWNERS.add(owner)


def blank(descriptor: int) -> None:
    """Make a descriptor one of `/dev/null`; below 0 it is closed already."""
    if descriptor < 0:
        return
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.dup2(null, descriptor, inheritable=False)
    finally:
        os.close(null)


def _leave_all_to_parent() -> None:
    for owner in list(_OWNERS):
        owner.leave_to_parent()


os.register_at_fork(after_in_child=_leave_all_to_parent)
