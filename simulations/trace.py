"""What happened in a run: a hash of all of it, and a file of it for those who ask.

Two runs are the same when their hashes are: every datagram with its time, source,
destination and bytes, and every event of every node goes in.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Self, TextIO

from lashup.errors import UsageError
from lashup.machine import Address


class Trace:
    """The record of one run. Times are nanoseconds of virtual time."""

    def __init__(self, file: TextIO | None) -> None:
        self._file = file
        self._hash = sha256()
        self._names: dict[Address, bytes] = {}

    @classmethod
    @contextmanager
    def open(cls, path: Path | None) -> Iterator[Self]:
        """A trace that writes to a file, or with None only hashes.

        Raises:
            UsageError: The file cannot be written.
        """
        if path is None:
            yield cls(None)
            return
        try:
            file = path.open("w", encoding="utf-8")
        except OSError as error:
            raise UsageError(f"--trace: {path}: {error.strerror}") from error
        with file:
            yield cls(file)

    @property
    def sha256(self) -> str:
        """The hash of all that has happened so far, in hexadecimal."""
        return self._hash.hexdigest()

    def datagram(self, at: int, source: Address, to: Address, data: bytes) -> None:
        """A datagram was sent, whether or not it arrives."""
        self._hash.update(
            b"%d %s %s %d " % (at, self._name(source), self._name(to), len(data))
        )
        self._hash.update(data)
        if self._file is not None:
            self._write(at, "datagram", {"from": source, "to": to, "bytes": len(data)})

    def event(self, at: int, where: str, what: str, **details: int | str) -> None:
        """Something else happened, at one node or in the network."""
        line = f"{at} {where} {what} {sorted(details.items())}\n"
        self._hash.update(line.encode())
        if self._file is not None:
            self._write(at, what, {"where": where, **details})

    def _write(self, at: int, what: str, details: Mapping[str, object]) -> None:
        assert self._file is not None  # noqa: S101  # callers have looked
        entry = {"t": at / 1e9, "what": what, **details}
        self._file.write(json.dumps(entry) + "\n")

    def _name(self, address: Address) -> bytes:
        name = self._names.get(address)
        if name is None:
            name = self._names[address] = f"{address[0]}:{address[1]}".encode()
        return name
