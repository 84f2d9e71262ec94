"""ICMP and ICMPv6 echo: the bytes of a ping, and a socket that sends them.

Source: RFC 792 (echo), RFC 4443 section 4 (ICMPv6 echo), RFC 1071 (checksum).
"""

from __future__ import annotations

import os
import socket
import struct
import time
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address
from typing import Self

from navstar.allocation import IpAddress

_REQUEST, _REPLY = 8, 0
_REQUEST6, _REPLY6 = 128, 129
#: type, code, checksum, identifier, sequence; then our own token and number.
_ECHO = struct.Struct("!BBHHH8sQ")
_TOKEN_BYTES = 8

# linux/icmp.h and linux/icmpv6.h: a set bit keeps that type from the socket.
_SOL_RAW, _ICMP_FILTER, _ICMPV6_FILTER = 255, 1, 1

#: Room for a burst of replies while the reader sleeps.
_RECEIVE_BUFFER = 1 << 20
#: One drain ends after so many, so that sending keeps its pace.
_AT_ONCE = 512


def checksum(data: bytes) -> int:
    """The Internet checksum: one's complement of the one's complement sum."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def request(number: int, *, token: bytes, family: int) -> bytes:
    """An echo request that carries `number` (below 2**64) and a token of 8 bytes.

    The kernel fills in the checksum of ICMPv6, which covers the IPv6 addresses.
    """
    kind = _REQUEST if family == socket.AF_INET else _REQUEST6
    identifier = int.from_bytes(token[:2], "big")
    fields = (identifier, number & 0xFFFF, token, number)
    packet = _ECHO.pack(kind, 0, 0, *fields)
    if family == socket.AF_INET6:
        return packet
    return _ECHO.pack(kind, 0, checksum(packet), *fields)


def reply_number(packet: bytes, *, token: bytes, family: int) -> int | None:
    """The number that an echo reply brings back, or None if it is not ours.

    Args:
        packet: As a raw socket gives it: with the IPv4 header, without the IPv6 one.
        token: The one that was sent.
        family: AF_INET or AF_INET6.
    """
    kind = _REPLY6
    if family == socket.AF_INET:
        if not packet:
            return None
        packet = packet[(packet[0] & 0x0F) * 4 :]
        kind = _REPLY
    if len(packet) < _ECHO.size:
        return None
    is_kind, _code, _sum, _id, _seq, its_token, number = _ECHO.unpack_from(packet)
    if is_kind != kind or its_token != token:
        return None
    return int(number)


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. `at` is on the monotonic clock, seconds."""

    number: int
    source: IpAddress
    at: float


class EchoSocket:
    """A raw socket for pings of one family, bound to the namespace it is opened in.

    Open it inside the namespace; use it from anywhere.

    Raises:
        PermissionError: CAP_NET_RAW is missing.
    """

    def __init__(self, family: int) -> None:
        self.family = family
        self._token = os.urandom(_TOKEN_BYTES)
        is_v4 = family == socket.AF_INET
        protocol = socket.IPPROTO_ICMP if is_v4 else socket.IPPROTO_ICMPV6
        self._socket = socket.socket(family, socket.SOCK_RAW, protocol)
        self._socket.settimeout(0)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        if is_v4:
            self._socket.setsockopt(_SOL_RAW, _ICMP_FILTER, _all_but(_REPLY, words=1))
        else:
            self._socket.setsockopt(
                protocol, _ICMPV6_FILTER, _all_but(_REPLY6, words=8)
            )

    def fileno(self) -> int:
        """For a selector."""
        return self._socket.fileno()

    def send(self, target: IpAddress, number: int) -> bool:
        """Send one request; False if this host could not even send it."""
        packet = request(number, token=self._token, family=self.family)
        try:
            self._socket.sendto(packet, (str(target), 0))
        except OSError:
            return False
        return True

    def replies(self) -> list[Reply]:
        """What has come in, at most some hundred at once. Does not wait."""
        found: list[Reply] = []
        for _ in range(_AT_ONCE):
            try:
                packet, sender = self._socket.recvfrom(2048)
            except BlockingIOError:
                break
            except OSError:
                continue  # an ICMP error of an earlier request
            number = reply_number(packet, token=self._token, family=self.family)
            if number is not None:
                source = ip_address(sender[0].partition("%")[0])
                found.append(Reply(number, source, time.monotonic()))
        return found

    def close(self) -> None:
        """Close the socket. Twice is no error."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def family_of(address: IpAddress) -> int:
    """AF_INET or AF_INET6."""
    is_v4 = isinstance(address, IPv4Address)
    return int(socket.AF_INET if is_v4 else socket.AF_INET6)


def _all_but(kind: int, *, words: int) -> bytes:
    """A filter that lets one ICMP type through; words in the host's byte order."""
    mask = [0xFFFF_FFFF] * words
    mask[kind // 32] &= ~(1 << kind % 32)
    return struct.pack(f"={words}I", *mask)
