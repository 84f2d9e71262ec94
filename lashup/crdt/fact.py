"""Facts: what the dots name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

#: A packed key, and packed steps of a path: bytes, so that equal means identical.
PackedKey: TypeAlias = bytes
Path: TypeAlias = tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Fact:
    """What a dot names: a payload at a place. Never changes, only goes.

    Attributes:
        key: The packed key that it belongs to.
        path: Packed steps from the key's root down.
        payload: Packed; what is in it is the business of the type above.
    """

    key: PackedKey
    path: Path
    payload: bytes
