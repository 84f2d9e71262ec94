"""Which messages of an origin were seen: each is delivered once."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TypeAlias

from lashup.machine import NodeId

#: One life of one origin.
Life: TypeAlias = tuple[NodeId, int]


@dataclass(slots=True)
class _Window:
    """The newest number seen, and a bit for each of those just before it."""

    newest: int
    bits: int


class DeliveryWindows:
    """A sliding window of message numbers for each life of each origin.

    Args:
        width: Numbers below the newest that are told apart; what is older counts as
            seen.
        lives: Windows kept, at most; the one unused for longest goes first.
    """

    def __init__(self, *, width: int, lives: int) -> None:
        self._width = width
        self._mask = (1 << width) - 1
        self._lives = lives
        self._windows: OrderedDict[Life, _Window] = OrderedDict()

    def __len__(self) -> int:
        return len(self._windows)

    def is_first(self, life: Life, number: int) -> bool:
        """Whether a number comes for the first time; from then on it does not."""
        window = self._windows.get(life)
        if window is None:
            self._windows[life] = _Window(number, 1)
            if len(self._windows) > self._lives:
                self._windows.popitem(last=False)
            return True
        self._windows.move_to_end(life)
        if number > window.newest:
            shift = min(number - window.newest, self._width)
            window.bits = (window.bits << shift | 1) & self._mask
            window.newest = number
            return True
        bit = (
            1 << (window.newest - number) if number > window.newest - self._width else 0
        )
        if not bit or window.bits & bit:
            return False
        window.bits |= bit
        return True
