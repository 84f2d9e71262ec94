"""All lines of the table, read once each. Pure.

A change of one line among a thousand comes with the whole key's value, and shares
with the value before all that did not change. So only what differs is read. Taking
addresses apart is what costs: a thousand lines take tenths of a second, and whoever
has other things to do reads them in steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from lashup import Key, MapView, Name
from navstar.line import Line
from navstar.line_codec import BadLine, line_untrusted

EntryT = TypeVar("EntryT", Line, BadLine)

#: Lines read in one step: some milliseconds.
STEP = 32


@dataclass(frozen=True, slots=True)
class _Read:
    """A key's value, and what was read from it: by VTEP address, then by node."""

    view: MapView = field(default_factory=MapView)
    claims: dict[Name, dict[Name, Line | BadLine]] = field(default_factory=dict)


class LineTable:
    """What stands under the overlay keys, as of the last `update` of each."""

    def __init__(self) -> None:
        self._keys: dict[Key, _Read] = {}
        #: Every line that can be believed; a new tuple only when it is another. Lines
        #: that did not change are the same objects.
        self.lines: tuple[Line, ...] = ()
        #: Everything else that stands there.
        self.bad_lines: tuple[BadLine, ...] = ()

    def update(self, key: Key, view: MapView) -> None:
        """Take in a key's value; whatever it holds, nothing is raised."""
        for _ in self.steps_of_update(key, view):
            pass

    def steps_of_update(self, key: Key, view: MapView) -> Iterator[None]:
        """As `update`, with a pause after every few lines; it counts after the last.

        One at a time: of two under way the later one would not know the other.
        """
        before = self._keys.get(key, _Read())
        claims = dict(before.claims)
        for count, vtep in enumerate(view.changed_maps(before.view), start=1):
            read = _read(key, vtep, view.map(vtep), before)
            claims.pop(vtep, None)
            if read:
                claims[vtep] = read
            if count % STEP == 0:
                yield
        self._keys.pop(key, None)
        if claims:
            self._keys[key] = _Read(view, claims)
        if claims != before.claims:
            everything = [
                line
                for read in self._keys.values()
                for claim in read.claims.values()
                for line in claim.values()
            ]
            lines = tuple(x for x in everything if isinstance(x, Line))
            bad_lines = tuple(x for x in everything if isinstance(x, BadLine))
            self.lines = _kept(self.lines, lines)
            self.bad_lines = _kept(self.bad_lines, bad_lines)


def _kept(before: tuple[EntryT, ...], now: tuple[EntryT, ...]) -> tuple[EntryT, ...]:
    """The same object as before, if it holds the same."""
    return before if now == before else now


def _read(
    key: Key, vtep: Name, claims: MapView, before: _Read
) -> dict[Name, Line | BadLine]:
    """What all nodes say of one VTEP address; what a node repeats is not read again."""
    old, known = before.view.map(vtep), before.claims.get(vtep, {})
    found: dict[Name, Line | BadLine] = {}
    for node in claims.registers():
        stamped = claims.stamped(node)
        if stamped is None:
            continue
        if node in known and old.stamped(node) == stamped:
            found[node] = known[node]
        else:
            found[node] = line_untrusted(key, vtep, node, stamped)
    return found
