"""The allocation in a TOML or JSON file, taken up again whenever it changes.

The file is looked at by its status, not by inotify: that sees a file replaced by
rename, a directory that appears later, and a mount on top, at a price of one
system call per look. A change counts when the next look, soon after, agrees, so that a
file which an editor is still writing is not read half way: cut between two
overlays it would be valid, and would withdraw the rest. The first look as well: the
daemon may be started while the file is being written.
"""

from __future__ import annotations

import json
import os
import stat
import tomllib
from pathlib import Path
from typing import TypeAlias

import trio

from navstar.allocation import Allocation
from navstar.beat import next_beat
from navstar.errors import Problem, Unusable
from navstar.sources import Fault, Reading, Tally
from navstar.sources.document import read_allocation

#: Seconds from the look that saw a change to the next.
SETTLE = 0.2
#: Bytes. A thousand overlays are 400 kB.
MAX_FILE = 4 * 1024 * 1024

#: Tells one state of the file from another; empty if there is none.
_Stamp: TypeAlias = tuple[int, ...]


class FileSource:
    """Reads one file, and again after each change."""

    def __init__(self, path: Path, *, poll_period: float) -> None:
        self.origin = str(path)
        self.tally = Tally()
        self._path = path
        self._poll_period = poll_period

    async def run(self, readings: trio.MemorySendChannel[Reading]) -> None:
        """Send the file's content now and after each change, until cancelled."""
        last: Reading | None = None
        read: _Stamp | None = None
        while True:
            read = await self._settled(read)
            reading = self._read()
            if reading != last and self._stamp() == read:
                await readings.send(reading)
                last = reading

    async def _settled(self, read: _Stamp | None) -> _Stamp:
        """Wait until two looks in a row agree, and on another file than was read."""
        stamp = read
        while True:
            previous, stamp = stamp, self._stamp()
            if stamp != previous:
                await trio.sleep(min(SETTLE, self._poll_period))
            elif stamp != read:
                return stamp
            else:
                await next_beat(self._poll_period)

    def _stamp(self) -> _Stamp:
        try:
            status = os.stat(self._path)
        except OSError:
            return ()
        return status.st_mtime_ns, status.st_size, status.st_ino, status.st_dev

    def _read(self) -> Reading:
        began = trio.current_time()
        try:
            return read_file(self._path)
        except Unusable as error:
            self.tally.failed += 1
            return Fault(str(error))
        finally:
            self.tally.note(trio.current_time() - began)


def read_file(path: Path) -> Allocation:
    """Read and check an allocation file. Blocks.

    Args:
        path: JSON if it ends in `.json`, else TOML.

    Raises:
        Unusable: With every problem.
    """
    try:
        content = _content(path)
        text = content.decode("utf-8")
        is_json = path.suffix == ".json"
        document = json.loads(text) if is_json else tomllib.loads(text)
    except OSError as error:
        problem = Problem("", f"cannot be read: {error.strerror}")
    except (ValueError, RecursionError) as error:
        problem = Problem("", f"cannot be parsed: {error}")
    else:
        return read_allocation(document, origin=str(path))
    raise Unusable(str(path), [problem])


def _content(path: Path) -> bytes:
    """Read a regular file of bearable size; nothing else is even opened.

    To open a device may set something off, and a pipe makes the opener wait.

    Raises:
        Unusable: It is something else, or too large.
        OSError: It cannot be read.
    """
    _check(path, os.stat(path))
    # It may be another by now: then do not wait, and look again.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        _check(path, os.fstat(file.fileno()))
        content = file.read(MAX_FILE + 1)
    if len(content) > MAX_FILE:
        raise _too_large(path)
    return content


def _check(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise Unusable(str(path), [Problem("", "should be a regular file")])
    if status.st_size > MAX_FILE:
        raise _too_large(path)


def _too_large(path: Path) -> Unusable:
    return Unusable(str(path), [Problem("", f"is larger than {MAX_FILE} bytes")])
