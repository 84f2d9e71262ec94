"""Processes that outlive the one that started them, and ending only those.

A pid alone may mean another process by now. The kernel's start time beside it, and
the boot, make an identity that is never given twice; a signal goes through a pidfd,
so that the process cannot change between the look and the signal.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

#: Seconds for a process to end by itself before it is killed.
TERM_PATIENCE = 3.0
#: Seconds for the kernel to end a killed one.
KILL_PATIENCE = 5.0

# Fields of /proc/PID/stat after the name in brackets. Source: proc(5).
_STATE, _START_TIME = 0, 19


@dataclass(frozen=True, slots=True)
class Process:
    """One process of this host, for as long as it lives.

    Attributes:
        pid: Its number.
        started: Clock ticks from boot to its start.
        boot: Id of the boot these count from.
    """

    pid: int
    started: int
    boot: str

    @property
    def is_alive(self) -> bool:
        """Whether it still runs. A zombie does not."""
        return identify(self.pid) == self


def identify(pid: int) -> Process | None:
    """Tell who has this pid now; None if nobody, or only what is left of one."""
    try:
        # The name may hold spaces and brackets; nothing after it does.
        line = Path(f"/proc/{pid}/stat").read_text()
        fields = line.rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    if fields[_STATE] in "ZX":
        return None
    return Process(pid, int(fields[_START_TIME]), boot)


def end(processes: Sequence[Process]) -> tuple[Process, ...]:
    """Ask processes to end, and kill those that do not. Blocks.

    Returns:
        Those that were running and whose end was seen.
    """
    descriptors = {each: _open(each) for each in processes}
    running = {each: fd for each, fd in descriptors.items() if fd is not None}
    try:
        for number, patience in (
            (signal.SIGTERM, TERM_PATIENCE),
            (signal.SIGKILL, KILL_PATIENCE),
        ):
            for process, descriptor in running.items():
                if process.is_alive:
                    signal.pidfd_send_signal(descriptor, number)
            if _wait(list(running.values()), patience):
                break
    finally:
        for descriptor in running.values():
            os.close(descriptor)
    for process in running:
        _reap(process.pid)
    return tuple(each for each in running if not each.is_alive)


def ask_to_end(process: Process) -> None:
    """Send SIGTERM and do not wait. One that has ended is no error."""
    descriptor = _open(process)
    if descriptor is not None:
        try:
            signal.pidfd_send_signal(descriptor, signal.SIGTERM)
        finally:
            os.close(descriptor)


def kill(process: Process) -> None:
    """`kill -9`, and wait until it is gone. Blocks.

    Raises:
        ProcessLookupError: It is not running.
    """
    descriptor = _open(process)
    if descriptor is None:
        raise ProcessLookupError(f"process {process.pid} has ended before")
    try:
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        _wait([descriptor], KILL_PATIENCE)
    finally:
        os.close(descriptor)
    _reap(process.pid)


def _open(process: Process) -> int | None:
    """A descriptor of exactly this process, or None if it has ended."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except OSError:
        return None
    if process.is_alive:
        return descriptor
    os.close(descriptor)
    return None


def _wait(descriptors: list[int], patience: float) -> bool:
    """Wait until all have ended; False if some have not in time."""
    until = time.monotonic() + patience
    left = set(descriptors)
    poll = select.poll()
    for each in left:
        poll.register(each, select.POLLIN)
    while left:
        wait_ms = max(0.0, until - time.monotonic()) * 1000
        ready = poll.poll(wait_ms)
        if not ready:
            return False
        for descriptor, _ in ready:
            poll.unregister(descriptor)
            left.discard(descriptor)
    return True


def _reap(pid: int) -> None:
    """Take the exit status, if it was a child of ours."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return
