"""Keys, and the steps of a path: how places in the store are named.

A key is a tuple of strings, bytes, integers and such tuples. A step is (name, type):
a register `x` and a set `x` are two fields. Both travel and are compared in one
packed form, so that equal means identical bytes on every host.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from functools import lru_cache
from typing import TypeAlias

import msgpack

from lashup.errors import MalformedDatagram, UsageError
from lashup.wire.readers import (
    fields_untrusted,
    natural_untrusted,
    pack,
    unpack_untrusted,
)

Name: TypeAlias = "str | bytes | int | tuple[Name, ...]"
Key: TypeAlias = tuple[Name, ...]

#: Tuples in tuples within one name. Whatever is written must be read by everybody.
DEEPEST_NAME = 16

#: Longer ones are not cached: they are rare, and a cache of them would be large.
_LONGEST_CACHED = LONGEST_SHARED = 256
#: What is checked once and then kept by whoever asked.
_CACHED = 1_024
#: What each read asks for again: the names of a map.
_PACKED = 16_384


class Type(enum.IntEnum):
    """What a step leads to. Part of the wire format: numbers are never used again."""

    MAP = 0
    REGISTER = 1
    SET = 2
    #: One element of a set; the step's name is the element.
    ELEMENT = 3
    MULTI_VALUE_REGISTER = 4
    ENABLE_WINS_FLAG = 5
    DISABLE_WINS_FLAG = 6
    COUNTER = 7


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
    if len(packed) > _LONGEST_CACHED:
        return _unpack_key_untrusted(packed)
    return _cached_key_untrusted(packed)


def _unpack_key_untrusted(packed: bytes) -> Key:
    fields = fields_untrusted(unpack_untrusted(packed), 1)
    names = tuple(_name_untrusted(field) for field in fields)
    if pack([_plain(name) for name in names]) != packed:
        raise MalformedDatagram("a key that is not in its one packed form")
    return names


def key_name(packed: bytes) -> Key:
    """The key of a packed form that has been checked."""
    key: Key = msgpack.unpackb(packed, use_list=False)
    return key


def pack_elements(names: Iterable[Name]) -> bytes:
    """The packed form of a key's elements without its header: how such keys begin.

    Raises:
        UsageError: One is not a name.
    """
    return b"".join(pack(_plain(name)) for name in names)


# The same few keys and steps come all the time, and checking one costs 4 us.
_cached_key_untrusted = lru_cache(maxsize=_CACHED)(_unpack_key_untrusted)


def pack_step(name: Name, kind: Type) -> bytes:
    """The one packed form of a step.

    Raises:
        UsageError: Not a name.
    """
    if type(name) is str and len(name) <= _LONGEST_CACHED:
        return _pack_text_step(name, kind)
    return pack([int(kind), _plain(name)])


@lru_cache(maxsize=_PACKED)
def _pack_text_step(name: str, kind: Type) -> bytes:
    return pack([int(kind), name])


@lru_cache(maxsize=_CACHED)
def shared(packed: bytes) -> bytes:
    """The same bytes, one object for equal ones that come soon after each other.

    Thousands of facts are below one key, and each message brings its own copy of it.
    """
    return packed


def step_untrusted(packed: bytes) -> bytes:
    """A step that has been checked; equal short ones are mostly one object.

    Its type may be one that only a later version knows.

    Raises:
        MalformedDatagram: Not a step, or not in its one form.
    """
    if len(packed) > _LONGEST_CACHED:
        return _step_untrusted(packed)
    return _cached_step_untrusted(packed)


def _step_untrusted(packed: bytes) -> bytes:
    kind, name = fields_untrusted(unpack_untrusted(packed), 2)[:2]
    number = natural_untrusted(kind, below=128)  # one byte: see `step_kind`
    if pack([number, _plain(_name_untrusted(name))]) != packed:
        raise MalformedDatagram("a step that is not in its one packed form")
    return packed


_cached_step_untrusted = lru_cache(maxsize=_CACHED)(_step_untrusted)


def step_name(packed: bytes) -> Name:
    """The name in a step that has been checked."""
    return _name_untrusted(fields_untrusted(unpack_untrusted(packed), 2)[1])


def step_kind(packed: bytes) -> int:
    """The type number in a step that has been checked."""
    # [kind, name] packs to 0x92, then the kind in one byte, as it is below 128.
    return packed[1]


def check_name(name: Name) -> None:
    """Raises UsageError when something is no name."""
    _plain(name)


def _plain(name: Name, depth: int = 0) -> object:
    """A name as msgpack has it: tuples as lists.

    Raises:
        UsageError: Not a name.
    """
    if isinstance(name, tuple):
        if depth == DEEPEST_NAME:
            raise UsageError(f"name: more than {DEEPEST_NAME} tuples in each other")
        return [_plain(part, depth + 1) for part in name]
    if isinstance(name, (str, bytes)):
        return name
    # bool is an int to isinstance, and True would meet 1 in a dict.
    if type(name) is int and -(1 << 63) <= name < 1 << 64:
        return name
    raise UsageError(
        f"name: {name!r} is none; names are str, bytes, 64-bit int and tuples of these"
    )


def _name_untrusted(value: object, depth: int = 0) -> Name:
    if isinstance(value, list):
        if depth == DEEPEST_NAME:
            raise MalformedDatagram(f"more than {DEEPEST_NAME} lists in a name")
        return tuple(_name_untrusted(part, depth + 1) for part in value)
    if isinstance(value, (str, bytes)) or type(value) is int:
        return value
    raise MalformedDatagram("a name is a string, bytes, an integer or a list of these")
