"""All lines of the table, read once each. Pure.

A change of one line among a thousand comes with the whole key's value. What has
not changed since the last look is not parsed again, because taking addresses apart
is what costs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from lashup import Key, MapView, Name
from navstar.line import Line
from navstar.line_codec import BadLine, line_untrusted

_Stamped: TypeAlias = tuple[int, object]


@dataclass(frozen=True, slots=True)
class _Entry:
    """A register as it was when it was read."""

    stamped: _Stamped
    read: Line | BadLine


class LineTable:
    """What stands under the overlay keys, as of the last `update` of each."""

    def __init__(self) -> None:
        self._keys: dict[Key, dict[tuple[Name, Name], _Entry]] = {}
        #: Every line that can be believed; a new tuple only when it is another.
        self.lines: tuple[Line, ...] = ()
        #: Everything else that stands there.
        self.bad_lines: tuple[BadLine, ...] = ()

    def update(self, key: Key, view: MapView) -> None:
        """Take in a key's value; whatever it holds, nothing is raised."""
        before = self._keys.pop(key, {})
        entries: dict[tuple[Name, Name], _Entry] = {}
        for field, claims in view.maps().items():
            for node in claims.registers():
                stamped = claims.stamped(node)
                if stamped is None:
                    continue
                entry = before.get((field, node))
                if entry is None or entry.stamped != stamped:
                    read = line_untrusted(key, field, node, stamped)
                    entry = _Entry(stamped, read)
                entries[field, node] = entry
        if entries:
            self._keys[key] = entries
        if entries != before:
            everything = [e.read for key in self._keys.values() for e in key.values()]
            self.lines = tuple(x for x in everything if isinstance(x, Line))
            self.bad_lines = tuple(x for x in everything if isinstance(x, BadLine))
