"""Which process has a socket, as far as /proc tells."""

from __future__ import annotations

import os
from pathlib import Path

_PROC = Path("/proc")
#: Where the kernel tells of the netlink sockets of this thread's network namespace.
_NETLINK = "thread-self/net/netlink"
_ROUTE_PROTOCOL = "0"

#: Who changed something with a notice that bears no port.
UNNAMED = "somebody whom the kernel does not name"
ENDED = "a process that has ended since"


def socket_owner(inode: int, proc: Path = _PROC) -> str | None:
    """The process that has a socket, as `name (pid 123)`; None if none has."""
    wanted = f"socket:[{inode}]"
    for process in proc.glob("[0-9]*"):
        try:
            has_it = any(os.readlink(each) == wanted for each in process.glob("fd/*"))
            if has_it:
                name = (process / "comm").read_text(errors="replace").strip()
                return f"{name} (pid {process.name})"
        except OSError:
            continue  # Gone meanwhile, or not ours to look into.
    return None


def port_owner(port: int, proc: Path = _PROC) -> str:
    """Who speaks to the kernel from a netlink port, in words. Reads all of /proc.

    Args:
        port: As the kernel's notices bear it; 0 where they bear none.
        proc: For tests.
    """
    if not port:
        return UNNAMED
    try:
        lines = (proc / _NETLINK).read_text().splitlines()[1:]
    except OSError:
        lines = []
    for line in lines:
        # sk, protocol, port, groups, ..., inode
        fields = line.split()
        if fields[1:3] == [_ROUTE_PROTOCOL, str(port)]:
            return socket_owner(int(fields[-1]), proc) or ENDED
    return ENDED
