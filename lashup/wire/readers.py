"""Reading msgpack that a stranger wrote, and writing what strangers will read.

`unpack_untrusted` takes bytes apart into plain values; the small readers then
check one field each. Whatever the bytes, they raise `MalformedDatagram` and
nothing else. They hold no state. A decoder that is made of them alone has the
same two properties, so the machines call nothing else on a payload.

Fields are positional, in lists. A newer version of the protocol may append
fields: readers ask for *at least* so many and ignore the rest.

Source: https://github.com/msgpack/msgpack/blob/master/spec.md
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import NoReturn, TypeAlias, cast

import msgpack

from lashup.errors import MalformedDatagram, UsageError
from lashup.machine import Address, NodeId

#: What `unpack_untrusted` returns and `pack` takes (`pack` also takes tuples, as
#: lists). Containers hold the same again; dictionary keys are scalars.
Scalar: TypeAlias = bool | int | float | str | bytes | None

#: Containers in containers, at most. msgpack itself stops at about 1,000 when it
#: reads but at 511 when it writes, and Python's own recursion (comparison, repr) in
#: between: what came in could then not go out again. No message of ours needs 10.
DEEPEST = 64

#: Bytes of a `NodeId`.
NODE_ID_SIZE = 16

#: The longest address literal: 8 groups of 4 hexadecimal digits, with IPv4 tail.
_LONGEST_LITERAL = 45

#: One for all, which is three times as fast as one for each call: no thread can get in
#: between while it packs plain values, and what it could not pack it forgets.
_PACKER = msgpack.Packer(use_bin_type=True)

#: What can be packed of these can be read.
SCALARS = frozenset((bool, int, float, str, bytes, type(None)))


def pack(value: object) -> bytes:
    """The msgpack bytes of a plain value. Equal values give equal bytes.

    As long as dictionaries are filled in the same order, that is: they are
    written in the order they have. Tuples become lists. What users put in must be
    checked against `DEEPEST` before: deeper values pack, but nobody reads them.

    Raises:
        UsageError: The value holds something msgpack has no form for (an integer
            beyond 64 bits, a lone surrogate, an object), or is hundreds deep.
    """
    try:
        return cast(bytes, _PACKER.pack(value))
    except (TypeError, ValueError, OverflowError) as error:
        raise UsageError(f"{type(value).__name__} cannot be packed: {error}") from error


#: Bytes with which msgpack begins an extension type, and a list or dictionary.
_EXTENSIONS = bytes((0xC7, 0xC8, 0xC9, *range(0xD4, 0xD9)))
_CONTAINERS = bytes((*range(0x80, 0xA0), *range(0xDC, 0xE0)))


def unpack_untrusted(data: bytes) -> object:
    """The one value that `data` holds.

    Returns:
        A scalar, or lists and dictionaries of scalars, at most `DEEPEST` deep.
        No msgpack extension types, so no timestamps either. Memory is bounded by a
        small multiple of `len(data)`.

    Raises:
        MalformedDatagram: Not msgpack, truncated, followed by more bytes, text that
            is not UTF-8, an extension type, a list or map as map key, or too deep.
    """
    # msgpack's limits default to the length of the data: a header that announces
    # 2^32 entries is refused before anything is allocated for them.
    try:
        value: object = msgpack.unpackb(
            data, raw=False, strict_map_key=False, ext_hook=_refuse_extension
        )
    except (ValueError, TypeError, RecursionError, msgpack.UnpackException) as error:
        raise MalformedDatagram(f"not msgpack: {error}") from error
    if type(value) not in SCALARS and not _is_plainly_plain(data):
        _check_plain_untrusted(value)
    return value


def _is_plainly_plain(data: bytes) -> bool:
    """Whether the bytes alone show it: true of most messages, at a tenth of the price.

    Text and numbers hold such bytes too, so false means nothing.
    """
    size = len(data)
    if len(data.translate(None, _EXTENSIONS)) < size:
        return False
    return size - len(data.translate(None, _CONTAINERS)) <= DEEPEST


def _refuse_extension(code: int, data: bytes) -> NoReturn:
    raise ValueError(f"extension type {code} of {len(data)} bytes")


def _check_plain_untrusted(value: object) -> None:
    """Level by level, so that hostile depth costs no recursion of ours."""
    level = [value]
    for _ in range(DEEPEST):
        below: list[object] = []
        for container in level:
            if type(container) is list:
                below += container
            elif type(container) is dict:
                below += container.keys()
                below += container.values()
            else:  # msgpack decodes its timestamp extension without asking the hook
                raise MalformedDatagram(f"a {type(container).__name__} in a message")
        level = [item for item in below if type(item) not in SCALARS]
        if not level:
            return
    raise MalformedDatagram(f"more than {DEEPEST} containers inside each other")


def fields_untrusted(value: object, at_least: int) -> list[object]:
    """A list with at least so many entries; what a newer version appended is kept.

    Raises:
        MalformedDatagram: Not a list, or shorter.
    """
    if type(value) is not list or len(value) < at_least:
        raise MalformedDatagram(
            f"expected {at_least} fields or more, got {_sort(value)}"
        )
    return value


def natural_untrusted(value: object, *, below: int = 1 << 64) -> int:
    """An integer from 0 up to, but not including, `below`. True and False are none.

    Raises:
        MalformedDatagram: Another type, negative, or too great.
    """
    if type(value) is not int or not 0 <= value < below:
        raise MalformedDatagram(f"expected 0 <= integer < {below}, got {_sort(value)}")
    return value


def bytes_untrusted(value: object, size: range | int | None) -> bytes:
    """Bytes of the given length, of a length in the range, or of any.

    Raises:
        MalformedDatagram: Not bytes, or of another length.
    """
    if type(value) is not bytes:
        raise MalformedDatagram(f"expected bytes, got {_sort(value)}")
    match size:
        case None:
            fits = True
        case range():
            fits = len(value) in size
        case int():
            fits = len(value) == size
    if not fits:
        raise MalformedDatagram(f"expected {size} bytes, got {len(value)}")
    return value


def text_untrusted(value: object, *, longest: int = 255) -> str:
    """Text of at most `longest` characters (not bytes). May be empty.

    Raises:
        MalformedDatagram: Not text, or longer.
    """
    if type(value) is not str or len(value) > longest:
        raise MalformedDatagram(f"expected text up to {longest}, got {_sort(value)}")
    return value


def node_id_untrusted(value: object) -> NodeId:
    """Who a node is: 16 bytes.

    Raises:
        MalformedDatagram: Anything else.
    """
    return NodeId(bytes_untrusted(value, NODE_ID_SIZE))


def address_untrusted(value: object) -> Address:
    """An address that one host can send to: [IP literal, port 1 to 65535].

    The literal comes back in its one canonical form, so equal addresses are equal
    text whoever wrote them.

    Raises:
        MalformedDatagram: No such pair, a host name, or an address that no single
            host has: unspecified, multicast, broadcast, or with an interface name
            (which means something on the author's host only). A member could
            otherwise aim everybody's packets at a whole network.
    """
    host, port = fields_untrusted(value, 2)[:2]
    literal = text_untrusted(host, longest=_LONGEST_LITERAL)
    number = natural_untrusted(port, below=1 << 16)
    if not number:
        raise MalformedDatagram("port 0")
    try:
        return _canonical(literal), number
    except ValueError as error:
        raise MalformedDatagram(f"not an address: {error}") from error


@lru_cache(maxsize=16_384)  # parsing costs 3 us, and the same few come all the time
def _canonical(literal: str) -> str:
    address = ipaddress.ip_address(literal)
    if address.is_unspecified or address.is_multicast or "%" in literal:
        raise ValueError(f"{literal} is no single host's")
    if literal == "255.255.255.255":
        raise ValueError("broadcast")
    if address.version == 6 and address.ipv4_mapped:
        # Our IPv6 sockets cannot send there, and Pythons differ in how they print it.
        raise ValueError(f"{literal} is an IPv4 address in disguise")
    return str(address)


def _sort(value: object) -> str:
    """What kind of thing came instead; never the thing itself, which may be long."""
    match value:
        case list() | str() | bytes() | dict():
            return f"{type(value).__name__} of {len(value)}"
        case int():
            return f"integer of {value.bit_length()} bits"
        case _:
            return type(value).__name__
