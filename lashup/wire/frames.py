"""Several machines' messages in one datagram.

A frame is `channel (1 byte) | length (2 bytes, big-endian) | payload`; a plaintext
is frames without anything between or after them. What shares a datagram shares
the cost of a system call and of the seal. A receiver skips channels it does not
know: a newer version may use them.
"""

from __future__ import annotations

from collections.abc import Iterable

from lashup.errors import LimitExceeded, MalformedDatagram

#: Bytes that a frame adds to its payload.
FRAME_OVERHEAD = 3

#: Bytes of a datagram that every path carries: the 576 of RFC 791 less the longest
#: IP header, and UDP's.
LEAST_DATAGRAM = 508

_LARGEST_PAYLOAD = (1 << 16) - 1
_CHANNELS = range(256)


def pack_frames(frames: Iterable[tuple[int, bytes]]) -> bytes:
    """The plaintext that carries (channel, payload) pairs, in their order.

    Raises:
        LimitExceeded: A payload over 65,535 bytes, or a channel beyond 255.
    """
    parts: list[bytes] = []
    for channel, payload in frames:
        size = len(payload)
        if size > _LARGEST_PAYLOAD or channel not in _CHANNELS:
            raise LimitExceeded(f"a frame of {size} bytes on channel {channel}")
        parts.append((channel << 16 | size).to_bytes(FRAME_OVERHEAD, "big"))
        parts.append(payload)
    return b"".join(parts)


def frames_untrusted(plaintext: bytes) -> list[tuple[int, bytes]]:
    """The (channel, payload) pairs of a plaintext, whatever the channels.

    Raises:
        MalformedDatagram: The plaintext does not end where a frame ends. Then none
            of its frames counts.
    """
    frames: list[tuple[int, bytes]] = []
    at, end = 0, len(plaintext)
    while at < end:
        head = int.from_bytes(plaintext[at : at + FRAME_OVERHEAD], "big")
        at += FRAME_OVERHEAD
        payload_end = at + (head & _LARGEST_PAYLOAD)
        if payload_end > end:  # also when the head itself was cut short: see at
            raise MalformedDatagram(f"a frame ends {payload_end - end} bytes too late")
        frames.append((head >> 16, plaintext[at:payload_end]))
        at = payload_end
    return frames
