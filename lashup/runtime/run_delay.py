"""How long a thread was ready to run and had no core.

What takes long on a host whose cores are all busy does not take long because of the
disk. The kernel counts the difference for each thread.

Source: Linux, Documentation/scheduler/sched-stats.rst, /proc/<pid>/schedstat.
"""

from __future__ import annotations

import os
import threading


class _Counter:
    """This thread's count, kept open: opening costs ten times as much as reading."""

    def __init__(self) -> None:
        try:
            self._file = os.open(
                "/proc/thread-self/schedstat", os.O_RDONLY | os.O_CLOEXEC
            )
        except OSError:  # a kernel that does not count, or no /proc
            self._file = -1

    def seconds(self) -> float:
        if self._file < 0:
            return 0.0
        try:
            return int(os.pread(self._file, 96, 0).split()[1]) / 1e9
        except (OSError, ValueError, IndexError):
            return 0.0

    def __del__(self) -> None:
        if self._file >= 0:
            os.close(self._file)


class _Counters(threading.local):
    """Each thread sees its own, which goes with it."""

    def __init__(self) -> None:
        self.mine = _Counter()


_COUNTERS = _Counters()


def _begin_anew() -> None:
    """A process that was forked has the file of its parent's thread."""
    global _COUNTERS  # the one place
    _COUNTERS = _Counters()


os.register_at_fork(after_in_child=_begin_anew)


def run_delay() -> float:
    """Seconds that this thread has waited for a core so far; 0 if that is unknown."""
    return _COUNTERS.mine.seconds()
