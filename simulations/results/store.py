"""A directory of results: one line for each run, so that a sweep may end anywhere.

`runs.jsonl` is appended to, one whole line after each run, and read again at the
next start. A line that was being written when the power went is cut off then.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from lashup.errors import UsageError
from simulations.results.record import Key, Record

#: The file in the directory.
RUNS = "runs.jsonl"


class Results:
    """A directory of results that is open for writing."""

    def __init__(self, file: BinaryIO, records: list[Record]) -> None:
        self._file = file
        #: By key; of several runs with one key the latest.
        self.records: dict[Key, Record] = {each.key: each for each in records}

    @classmethod
    @contextmanager
    def open(cls, directory: Path) -> Iterator[Results]:
        """Open it, made if it is not there; nobody else may write to it meanwhile.

        Raises:
            UsageError: It cannot be written, is in use, or holds something else.
        """
        path = directory / RUNS
        try:
            directory.mkdir(parents=True, exist_ok=True)
            file = path.open("a+b")
        except OSError as error:
            raise UsageError(f"--output: {path}: {error.strerror}") from error
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                problem = "another sweep is writing to it"
                raise UsageError(f"--output: {directory}: {problem}") from error
            _cut_off_torn_line(file)
            yield cls(file, read_results(directory))

    def append(self, record: Record) -> None:
        """Keep one run; it is on disk on return."""
        self._file.write(record.to_line().encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self.records[record.key] = record


def read_results(directory: Path) -> list[Record]:
    """All runs in a directory in the order of their ends; of each key the latest.

    Raises:
        UsageError: There is no such directory, or a line is not a run.
    """
    path = directory / RUNS
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{directory}: no results there ({error})") from error
    records: dict[Key, Record] = {}
    # What has no end is still being written, or never was.
    for number, line in enumerate(text.split("\n")[:-1], start=1):
        try:
            record = Record.of_line(line)
        except ValueError as error:
            raise UsageError(f"{path}, line {number}: {error}") from error
        records[record.key] = record
    return list(records.values())


def _cut_off_torn_line(file: BinaryIO) -> None:
    file.seek(0)
    end = 0
    for line in file:
        if line.endswith(b"\n"):
            end += len(line)
    file.truncate(end)
    file.seek(0, os.SEEK_END)
