"""Keys, and the steps of a path: how places in the store are named.

A key is a tuple of strings, bytes, integers and such tuples. A step is (name, type):
a register `x` and a set `x` are two fields. Both travel and are compared in one
packed form, so that equal means identical bytes on every host.
"""

from __future__ import annotations

import enum
from typing import TypeAlias

from lashup.errors import MalformedDatagram, UsageError
from lashup.wire.readers import (
    fields_untrusted,
    natural_untrusted,
    pack,
    unpack_untrusted,
)

Name: TypeAlias = "str | bytes | int | tuple[Name, ...]"
Key: TypeAlias = tuple[Name, ...]


class Type(enum.IntEnum):
    """What a step leads to. Part of the wire format: numbers are never used again."""

    MAP = 0
    REGISTER = 1
    SET = 2
    #: One element of a set; the step's name is the element.
    ELEMENT = 3


def pack_key(key: Key) -> bytes:
    """The one packed form of a key.

    Raises:
        UsageError: Not a key.
    """
    if not isinstance(key, tuple) or not key:
        raise UsageError(f"key: must be a tuple with at least one element, not {key!r}")
    return pack([_plain(name) for name in key])


def unpack_key_untrusted(packed: bytes) -> Key:
    """The key of a packed form.

    Raises:
        MalformedDatagram: Not a key, or not in its one form.
    """
    names = tuple(_name_untrusted(n) for n in fields_untrusted(_load(packed), 1))
    if pack([_plain(name) for name in names]) != packed:
        raise MalformedDatagram("a key that is not in its one packed form")
    return names


def pack_step(name: Name, kind: Type) -> bytes:
    """The one packed form of a step.

    Raises:
        UsageError: Not a name.
    """
    return pack([int(kind), _plain(name)])


def check_step_untrusted(packed: bytes) -> int:
    """The type number of a packed step; it may be one that a later version knows.

    Raises:
        MalformedDatagram: Not a step, or not in its one form.
    """
    kind, name = fields_untrusted(_load(packed), 2)[:2]
    number = natural_untrusted(kind, below=256)
    if pack([number, _plain(_name_untrusted(name))]) != packed:
        raise MalformedDatagram("a step that is not in its one packed form")
    return number


def step_name(packed: bytes) -> Name:
    """The name in a step that has been checked."""
    return _name_untrusted(fields_untrusted(_load(packed), 2)[1])


def step_kind(packed: bytes) -> int:
    """The type number in a step that has been checked."""
    # [kind, name] packs to 0x92, then the kind: one byte as long as it is below 128.
    return packed[1]


def _load(packed: bytes) -> object:
    return unpack_untrusted(packed)


def _plain(name: Name) -> object:
    """A name as msgpack has it: tuples as lists.

    Raises:
        UsageError: Not a name.
    """
    if isinstance(name, tuple):
        return [_plain(part) for part in name]
    if isinstance(name, (str, bytes)):
        return name
    # bool is an int to isinstance, and True would meet 1 in a dict.
    if type(name) is int and -(1 << 63) <= name < 1 << 64:
        return name
    raise UsageError(
        f"name: {name!r} is none; names are str, bytes, 64-bit int and tuples of these"
    )


def _name_untrusted(value: object) -> Name:
    if isinstance(value, list):
        return tuple(_name_untrusted(part) for part in value)
    if isinstance(value, (str, bytes)) or type(value) is int:
        return value
    raise MalformedDatagram("a name is a string, bytes, an integer or a list of these")
