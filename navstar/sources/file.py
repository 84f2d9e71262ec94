"""The allocation in a TOML or JSON file, taken up again whenever it changes.

The file is looked at by its status, not by inotify: that sees a file replaced by
rename, a directory that appears later, and a mount on top, at a price of one
system call per look. A change counts when two looks in a row agree, so that a
file which an editor is still writing is not read half way: cut between two
overlays it would be valid, and would withdraw the rest.
"""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path
from typing import TypeAlias

import trio

from navstar.allocation import Allocation
from navstar.errors import Problem, Unusable
from navstar.sources import Fault, Reading
from navstar.sources.document import read_allocation

#: Bytes. A thousand overlays are 400 kB.
MAX_FILE = 4 * 1024 * 1024

_Stamp: TypeAlias = tuple[int, int, int, int] | None


class FileSource:
    """Reads one file, and again after each change."""

    def __init__(self, path: Path, *, poll_period: float) -> None:
        self.origin = str(path)
        self._path = path
        self._poll_period = poll_period

    async def run(self, readings: trio.MemorySendChannel[Reading]) -> None:
        """Send the file's content now and after each change, until cancelled."""
        last: Reading | None = None
        stamp = self._stamp()
        while True:
            reading = self._read()
            if reading != last:
                await readings.send(reading)
                last = reading
            stamp = await self._settled_change(stamp)

    async def _settled_change(self, read: _Stamp) -> _Stamp:
        """Wait until the file is another than the one read, and stays so."""
        previous = read
        while True:
            await trio.sleep(self._poll_period)
            stamp = self._stamp()
            if stamp != read and stamp == previous:
                return stamp
            previous = stamp

    def _stamp(self) -> _Stamp:
        try:
            status = os.stat(self._path)
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino, status.st_dev

    def _read(self) -> Reading:
        try:
            return read_file(self._path)
        except Unusable as error:
            return Fault(str(error))


def read_file(path: Path) -> Allocation:
    """Read and check an allocation file. Blocks.

    Args:
        path: JSON if it ends in `.json`, else TOML.

    Raises:
        Unusable: With every problem.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE + 1)
        if len(content) > MAX_FILE:
            problem = Problem("", f"is larger than {MAX_FILE} bytes")
            raise Unusable(str(path), [problem])
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
