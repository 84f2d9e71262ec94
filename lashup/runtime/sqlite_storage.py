"""Storage in a data directory, with SQLite.

    <directory>/lock               held by the running node; has its process id
    <directory>/lashup.sqlite3     the rows; with -wal while a node runs

Write-ahead log and `synchronous=FULL`: a commit is one sequential write and one
fsync, and what it acknowledged outlives a loss of power.

Each value has a checksum of key and value behind it. SQLite finds damage to its own
structure, but not to what a row says; a changed fact would spread to everybody under
the name of the true one. Damage to the log it takes for the log's end
(`write_ahead_log`).

Source: https://www.sqlite.org/wal.html, https://www.sqlite.org/howtocorrupt.html
"""

from __future__ import annotations

import ctypes
import os
import sqlite3
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from lashup.errors import StorageError
from lashup.machine import Persist
from lashup.runtime.directory_lock import lock_directory
from lashup.runtime.forked import blank, own
from lashup.runtime.sqlite_file import (
    WAY_OUT,
    create,
    explained,
    open_sound,
    primary_code,
)
from lashup.runtime.storage import TABLES, Rows, outcome

DATABASE = "lashup.sqlite3"

_CHECKSUM_SIZE = 4

#: After these the file cannot be trusted until it has been opened, and so checked,
#: again. A full disk is not among them: SQLite rolls back and the file is sound.
_FATAL = frozenset(
    (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
)


class SqliteStorage:
    """The rows of one node, in its data directory.

    Args:
        directory: Made (0700) if it is not there; its parents as well.
        cluster: The cluster's label. A directory belongs to one cluster for ever:
            facts of two must never mix.

    Raises:
        StorageError: Another process has the directory, it cannot be written, or the
            database is damaged, foreign, of another cluster or of a newer version.
            The message names the file and the way out. Nothing has been changed.
    """

    def __init__(self, directory: Path, *, cluster: str) -> None:
        self._file = directory / DATABASE
        self._name = str(self._file)
        self._broken = ""
        self._connection: sqlite3.Connection | None = None
        self._lock = lock_directory(directory)
        own(self)
        try:
            with explained(self._file, "opening"):
                if not self._file.exists():
                    create(self._file, cluster)
                self._inode = self._file.stat().st_ino
                self._connection = open_sound(self._file, cluster)
        except BaseException:
            self.close()
            raise

    def load(self) -> Rows:
        """All rows that were committed.

        Raises:
            StorageError: The disk does not give them back.
        """
        connection = self._require()
        with explained(self._file, "reading"):
            return {table: self._read(connection, table) for table in TABLES}

    def commit(self, batch: Sequence[Persist]) -> None:
        """Make a batch durable: one transaction, one fsync.

        Raises:
            StorageError: Nothing of the batch is on disk. After a full disk, trying
                again can help; after a read or write error this object refuses all
                further batches.
            UsageError: A table that does not exist. Nothing has changed.
        """
        changes = outcome(batch)
        connection = self._require()
        if not any(changes.values()):
            return
        self._check_still_there()
        try:
            with explained(self._file, "writing"):
                connection.execute("BEGIN IMMEDIATE")
                for table, rows in changes.items():
                    _write(connection, table, rows)
                connection.execute("COMMIT")
        except BaseException as error:
            self._roll_back(connection, error)
            raise

    def leave_to_parent(self) -> None:
        """In a child that was forked: the directory is the parent's, and stays so."""
        blank(self._lock)
        if self._connection is not None:
            # Not even the end of the process may close it: one reference too many.
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._connection))
            self._connection = None

    def close(self) -> None:
        """Fold the log into the database, and let another process have it."""
        try:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
        finally:
            if self._lock >= 0:
                os.close(self._lock)
                self._lock = -1

    def __enter__(self) -> SqliteStorage:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _read(self, connection: sqlite3.Connection, table: str) -> dict[bytes, bytes]:
        rows: dict[bytes, bytes] = {}
        for key, stored in connection.execute(f"SELECT key, value FROM {table}"):  # noqa: S608 - a constant
            # Damage may turn any cell into text, a number or NULL.
            if type(key) is bytes and type(stored) is bytes:
                value = stored[:-_CHECKSUM_SIZE]
                if stored == _with_checksum(key, value):
                    rows[key] = value
                    continue
            raise StorageError(
                f"{self._file}: damaged (a row of {table} has changed). {WAY_OUT}"
            )
        return rows

    def _require(self) -> sqlite3.Connection:
        if self._connection is None:
            raise StorageError(f"{self._file}: already closed by this node")
        if self._broken:
            raise StorageError(f"{self._broken} (that was an earlier batch)")
        return self._connection

    def _check_still_there(self) -> None:
        # SQLite would go on writing into the removed file, and every write that was
        # acknowledged would be gone at the next start.
        with explained(self._file, "writing"):
            # Not Path.stat, which costs a tenth of a commit on a quick disk.
            if os.stat(self._name).st_ino == self._inode:
                return
        raise StorageError(
            f"{self._file}: replaced by another file while this node runs. "
            "Restart the node to use that one"
        )

    def _roll_back(self, connection: sqlite3.Connection, error: BaseException) -> None:
        cause = error.__cause__
        if isinstance(cause, sqlite3.Error) and primary_code(cause) in _FATAL:
            self._broken = str(error)
        try:
            if connection.in_transaction:  # after some errors, SQLite has done it
                connection.execute("ROLLBACK")
        except sqlite3.Error as again:
            self._broken = f"{error}; nor does it roll back: {again}"


def _with_checksum(key: bytes, value: bytes) -> bytes:
    checksum = zlib.crc32(value, zlib.crc32(key))
    return value + checksum.to_bytes(_CHECKSUM_SIZE, "big")


def _write(
    connection: sqlite3.Connection, table: str, rows: Mapping[bytes, bytes | None]
) -> None:
    gone = sorted(key for key, value in rows.items() if value is None)
    kept = sorted(  # in the order of the tree: neighbours share pages
        (key, _with_checksum(key, value))
        for key, value in rows.items()
        if value is not None
    )
    if gone:
        connection.executemany(
            f"DELETE FROM {table} WHERE key = ?",  # noqa: S608 - a constant
            ((key,) for key in gone),
        )
    if kept:
        connection.executemany(
            f"INSERT INTO {table} VALUES (?, ?) "  # noqa: S608 - a constant
            "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            kept,
        )
