"""One UDP socket as a node wants it: opened, enlarged, and asked what it dropped."""

from __future__ import annotations

import errno
import ipaddress
import socket
import struct
from collections.abc import Mapping
from functools import lru_cache

from lashup.errors import ConfigError, UsageError
from lashup.machine import Address

#: Bytes asked for each socket buffer. A burst of 1,000 members' datagrams at once
#: fits. The kernel doubles it for its own accounting, and caps it for the
#: unprivileged at net.core.rmem_max.
BUFFER = 4 << 20

#: include/uapi/linux/in.h and in6.h; Python has no names for them.
IP_RECVERR, IPV6_RECVERR = 11, 25
_SO_MEMINFO = 55  # include/uapi/asm-generic/socket.h; Python has no name for it
_MEMINFO_DROPS = 8  # SK_MEMINFO_DROPS, include/uapi/linux/sock_diag.h
_MEMINFO = struct.Struct("=9I")


def in_the_way(
    before: Mapping[Address, socket.socket], address: Address
) -> socket.socket | None:
    """A socket of ours that keeps this address from being bound as long as it is open.

    One at all addresses of the same port, or at one of those that this would be at.
    """
    try:
        wanted = ipaddress.ip_address(address[0])
    except ValueError:
        return None
    for (host, port), sock in before.items():
        there = ipaddress.ip_address(host)
        if (there.version, port) != (wanted.version, address[1]):
            continue
        if there.is_unspecified or wanted.is_unspecified:
            return sock
    return None


def canonical(address: Address) -> Address:
    """As the kernel writes it; what is no address, as it is."""
    try:
        return (str(ipaddress.ip_address(address[0])), address[1])
    except ValueError:
        return address


def share_port(sock: socket.socket) -> None:
    """Let it be beside another socket that shares its port too."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)


def keep_port(sock: socket.socket) -> None:
    """Let no other socket come beside it, as it is unless it was told to share."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)


def open_socket(address: Address, field: str, *, shares: bool = False) -> socket.socket:
    """A socket that listens at an address.

    Args:
        address: Where.
        field: Named by errors.
        shares: It may be beside one of ours that shares too (`share_port`).

    Raises:
        ConfigError: It cannot be bound, or is no address.
    """
    host, port = address
    try:
        family = family_of(host)
    except UsageError as error:
        raise ConfigError(field, str(error)) from error
    try:
        sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    except OSError as error:
        raise ConfigError(field, _bind_problem(address, error)) from error
    try:
        if shares:
            share_port(sock)
        if family == socket.AF_INET6:
            # IPv4 has a socket of its own; without this, both could not share a port.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
        else:
            sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
        _enlarge(sock)
        sock.bind((host, port))
    except (OSError, OverflowError) as error:
        sock.close()
        raise ConfigError(field, _bind_problem(address, error)) from error
    return sock


def _bind_problem(address: Address, error: OSError | OverflowError) -> str:
    host, port = address
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    match getattr(error, "errno", None):
        case errno.EADDRINUSE:
            return f"{where} is taken by another process; see `ss -ulpn`"
        case errno.EADDRNOTAVAIL:
            return f"no interface of this host has {host}; see `ip address`"
        case errno.EACCES:
            return f"{where} needs the right to bind ports below 1024"
        case _:
            return f"{where} cannot be bound: {error}"


def _enlarge(sock: socket.socket) -> None:
    """Ask for large buffers; with less than asked we run all the same."""
    for forced, asked in (
        (getattr(socket, "SO_RCVBUFFORCE", 33), socket.SO_RCVBUF),
        (getattr(socket, "SO_SNDBUFFORCE", 32), socket.SO_SNDBUF),
    ):
        try:
            sock.setsockopt(socket.SOL_SOCKET, forced, BUFFER)
        except PermissionError:
            sock.setsockopt(socket.SOL_SOCKET, asked, BUFFER)


def drops_of(sock: socket.socket) -> int:
    """Datagrams that came while the receive buffer was full."""
    try:
        memory = sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size)
    except OSError:  # a kernel before 4.12
        return 0
    return int(_MEMINFO.unpack(memory)[_MEMINFO_DROPS])


@lru_cache(maxsize=16_384)
def family_of(host: str) -> socket.AddressFamily:
    """Of an IP literal.

    Raises:
        UsageError: It is none.
    """
    try:
        version = ipaddress.ip_address(host).version
    except ValueError as error:
        raise UsageError(f"{host!r} is no IP address; look names up before") from error
    return socket.AF_INET if version == 4 else socket.AF_INET6
