"""A process that keeps an ordinary user's lab in being between two commands.

A user namespace, and the mounts in it, live as long as a process is inside. The
lab of an ordinary user that is left up therefore has one more process, which does
nothing, and later commands enter its namespaces. Root's labs need none.
"""

from __future__ import annotations

import os
import sys

from navstar.lab import privileges
from navstar.lab.record import Record, find_record

_NAME = "holder"


def hold(record: Record) -> None:
    """Start the process that keeps the lab, if the lab needs one."""
    if not privileges.is_in_user_namespace():
        return
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    try:
        pid = os.posix_spawn(
            sys.executable,
            [sys.executable, "-c", "import signal; signal.pause()"],
            {},
            file_actions=[(os.POSIX_SPAWN_DUP2, null, each) for each in (0, 1, 2)],
            setsid=True,
        )
    finally:
        os.close(null)
    record.started(_NAME, pid)


def follow_into(prefix: str, arguments: list[str]) -> None:
    """Execute the command again in the namespaces of a user's lab, if it has any.

    Returns where that is not needed: for root, and inside already.

    Raises:
        NoSuchLab: There is no such lab.
        MissingSystemPart: The kernel does not let us in.
    """
    if os.geteuid() == 0 or privileges.is_in_user_namespace():
        return
    record = find_record(prefix)
    process = record.processes.get(_NAME)
    if process is not None and process.is_alive:
        privileges.follow(process, arguments)


def way_in(record: Record) -> str:
    """What has to stand before `ip netns exec`, with a space at its end."""
    process = record.processes.get(_NAME)
    if process is None:
        return ""
    return f"nsenter --preserve-credentials -U -m -n -t {process.pid} "
