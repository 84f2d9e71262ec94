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
HIDDEN = "a process that this one may not look into"

#: libnl's sockets have the process in the lower 22 bits, and their number above;
#: what the kernel chooses itself is the process alone, if that is free.
_PID_MASK = (1 << 22) - 1
#: Where the process's number was taken, the kernel counts down from -4097.
_KERNELS_CHOICE = 1 << 31


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

    Without CAP_SYS_PTRACE, which our unit does not ask for, the descriptors of a
    daemon with more rights than ours cannot be read. Then the port's number tells,
    which is a habit and no rule: so that is said.

    Args:
        port: As the kernel's notices bear it; 0 where they bear none.
        proc: For tests.
    """
    if not port:
        return UNNAMED
    inode = _inode_at(port, proc)
    if inode is None:
        return ENDED
    return socket_owner(inode, proc) or _by_number(port, proc)


def _inode_at(port: int, proc: Path) -> int | None:
    try:
        lines = (proc / _NETLINK).read_text().splitlines()[1:]
    except OSError:
        return None
    for line in lines:
        # sk, protocol, port, groups, ..., inode
        fields = line.split()
        if fields[1:3] == [_ROUTE_PROTOCOL, str(port)]:
            return int(fields[-1])
    return None


def _by_number(port: int, proc: Path) -> str:
    if port >= _KERNELS_CHOICE:
        return HIDDEN
    pid = port & _PID_MASK
    try:
        name = (proc / str(pid) / "comm").read_text(errors="replace").strip()
    except OSError:
        return HIDDEN
    return f"{name} (pid {pid}, by the number of its port)"
