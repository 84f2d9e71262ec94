"""The end of a lab: every process, namespace, link and file of it, and nothing else.

It needs the record only, so that any process can do it for any other, at any time
and more than once.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterable
from pathlib import Path

from navstar.lab import namespaces, processes
from navstar.lab.errors import LabError
from navstar.lab.interrupts import uninterrupted
from navstar.lab.record import Record, find_record
from navstar.lab.topology import is_lab_namespace

#: Seconds for a `lab run` to clean up after itself when `lab down` asks it to.
OWNER_PATIENCE = 30.0


def strangers(prefix: str) -> list[str]:
    """Namespaces that are called as a lab of this prefix would call them."""
    return sorted(name for name in namespaces.names() if is_lab_namespace(name, prefix))


def refuse_strangers(prefix: str) -> None:
    """Say that something is there which no lab of this user's has made.

    Raises:
        LabError: There are namespaces that are called as a lab's of this prefix.
    """
    there = strangers(prefix)
    if not there:
        return
    delete = "; ".join(f"ip netns delete {name}" for name in there)
    raise LabError(
        f"no lab {prefix} of this user's is up, but there are namespaces of its names: "
        f"{', '.join(there)}",
        f"if nobody uses them: {delete}"
        if os.geteuid() == 0
        else f"if it is root's: sudo navstar lab down --prefix {prefix}",
    )


def tear_down(record: Record) -> None:
    """End every process of a lab and remove all it made. Again is no error."""
    processes.end(tuple(record.processes.values()))
    # An ordinary user's namespaces have gone with the last process inside.
    if os.geteuid() == 0:
        for name in record.namespaces:
            namespaces.remove(name)
    record.erase()


def take_down(prefix: str) -> tuple[Record, tuple[processes.Process, ...]]:
    """End the lab with this prefix, whoever made it.

    A `lab run` that works in it is asked to end, and cleans up by itself.

    Returns:
        The record as it was, and the processes that it named.

    Raises:
        NoSuchLab: There is none.
        LabError: The one who works in it does not end.
    """
    record = find_record(prefix)
    owner, known = record.owner, tuple(record.processes.values())
    if owner is not None and owner.is_alive and owner.pid != os.getpid():
        processes.ask_to_end(owner)
        until = time.monotonic() + OWNER_PATIENCE
        while owner.is_alive and record.path.exists():
            if time.monotonic() > until:
                problem = f"process {owner.pid} works in lab {prefix} and does not end"
                raise LabError(problem, f"kill -9 {owner.pid}, then again")
            time.sleep(0.05)
    if record.path.exists():
        with uninterrupted():
            tear_down(record)
    return record, known


def leftovers(record: Record, known: Iterable[processes.Process]) -> list[str]:
    """What is left of a lab that was taken down: nothing, if all is well.

    Args:
        record: The lab's, as it was.
        known: Every process that it had started.
    """
    prefix = record.topology.prefix
    found = [f"namespace {name}" for name in strangers(prefix)]
    found += [f"process {each.pid}" for each in known if each.is_alive]
    found += [f"process {pid}" for pid in _processes_using(record.path)]
    if record.path.exists():
        found.append(f"directory {record.path}")
    links_here = sorted(name for _, name in socket.if_nameindex())
    found += [f"link {name}" for name in links_here if name.startswith(f"{prefix}-")]
    return found


def _processes_using(path: Path) -> list[int]:
    """Processes that name something in the directory on their command line."""
    wanted = os.fsencode(path) + b"/"
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if wanted in command:
                found.append(int(entry.name))
    return found
