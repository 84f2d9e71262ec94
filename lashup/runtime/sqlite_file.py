"""The database file: made whole, opened, and refused unless it is sound and ours.

A file is either not there, or holds a database that is whole and of this cluster,
or is refused. It is built under another name and renamed when it is on disk, so
that a crash while it is made leaves no half of one; whatever else has the true
name is damage or a mistake, and the operator decides about it.

Source: https://www.sqlite.org/pragma.html, https://www.sqlite.org/rescode.html
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lashup.errors import StorageError, StorageFull
from lashup.runtime.storage import TABLES
from lashup.runtime.write_ahead_log import is_damaged

#: "lash": tells our databases from other programs', also to file(1).
APPLICATION_ID = 0x6C617368

#: Rises when older versions can no longer read what newer ones write.
SCHEMA_VERSION = 1

_SCHEMA = (
    *(
        f"CREATE TABLE {table} "
        "(key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID"
        for table in TABLES
    ),
    "CREATE TABLE cluster (label TEXT NOT NULL)",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)

#: Bytes of the smallest page. SQLite would take less for a new database.
_SMALLEST = 512

#: What an operator can do about damage.
WAY_OUT = (
    "Restore it from a backup, or move it away to start as a new node, which gets "
    "the cluster's facts from the others"
)


def create(file: Path, cluster: str) -> None:
    """Make an empty database, so that it is there whole or not at all.

    Raises:
        StorageError: The disk refuses, or a log lies there whose database is gone.
    """
    log = _log(file)
    if log.exists():
        raise StorageError(f"{log}: a log without its database {file.name}. {WAY_OUT}")
    new = file.with_name(file.name + ".new")
    with explained(file, "creating"):
        for left_over in file.parent.glob(new.name + "*"):  # of a crash right here
            left_over.unlink()
        os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(new, isolation_level=None)
        try:
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("BEGIN")
            for statement in _SCHEMA:
                connection.execute(statement)
            connection.execute("INSERT INTO cluster VALUES (?)", (cluster,))
            connection.execute("COMMIT")
        finally:
            connection.close()
        new.rename(file)
        for directory in (file.parent, file.parent.parent):
            _sync_names(directory)


def open_sound(file: Path, cluster: str) -> sqlite3.Connection:
    """Open a database for one node alone, once it has proved to be whole and ours.

    Raises:
        StorageError: It is damaged, foreign, or of another cluster or version. It is
            as it was.
    """
    with explained(file, "opening"):
        if file.stat().st_size < _SMALLEST:
            raise StorageError(f"{file}: empty, so its rows are lost. {WAY_OUT}")
        # SQLite would open what it may only read, and fail later as if the disk did.
        os.close(os.open(file, os.O_RDWR | os.O_CLOEXEC))
        _check_log(file)
        connection = sqlite3.connect(
            file.absolute().as_uri() + "?mode=rw",
            uri=True,
            timeout=1.0,  # seconds, for a backup that reads it just now
            isolation_level=None,
            check_same_thread=False,  # one thread at a time, not always the same
        )
        try:
            # Nobody else is to change rows under us; and it spares the shared index.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            _check(connection, file, cluster)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA journal_size_limit = {16 << 20}")
        except BaseException:
            connection.close()
            raise
    return connection


def cluster_of(file: Path) -> str:
    """The label of the cluster that a database belongs to, for tools that ask for none.

    Raises:
        StorageError: It cannot be read, is damaged, another program's, or in use.
    """
    with explained(file, "reading"):
        _check_log(file)  # before it is folded in, which is when this closes
        connection = sqlite3.connect(file.absolute().as_uri() + "?mode=rw", uri=True)
        try:
            [label] = connection.execute("SELECT label FROM cluster").fetchone()
        finally:
            connection.close()
    return str(label)


def _check(connection: sqlite3.Connection, file: Path, cluster: str) -> None:
    def value(query: str) -> object:
        row = connection.execute(query).fetchone()
        return row[0] if row else None

    if value("PRAGMA application_id") != APPLICATION_ID:
        raise StorageError(
            f"{file}: a database of another program. Use another directory"
        )
    version = value("PRAGMA user_version")
    if type(version) is int and version > SCHEMA_VERSION:
        raise StorageError(
            f"{file}: has schema version {version}, this lashup knows only "
            f"{SCHEMA_VERSION}. Install the version that wrote it, or a newer one"
        )
    if version != SCHEMA_VERSION:
        raise StorageError(
            f"{file}: has schema version {version}, and this lashup reads only "
            f"{SCHEMA_VERSION}. Start it once more with the version that wrote it and "
            "dump the table; or move the directory away: the others bring the table"
        )
    # All of it is about to be read anyhow; damage shall show now, not in a week.
    found = value("PRAGMA quick_check(1)")
    if found != "ok":
        raise StorageError(f"{file}: damaged ({found}). {WAY_OUT}")
    label = value("SELECT label FROM cluster")
    if label != cluster:
        raise StorageError(
            f"{file}: belongs to the cluster {label!r}, this node is of "
            f"{cluster!r}. Use another directory, or mend the cluster's name"
        )


def _check_log(file: Path) -> None:
    log = _log(file)
    if is_damaged(log):
        raise StorageError(
            f"{log}: damaged; writes that were acknowledged would be lost. {WAY_OUT}"
        )


def _log(file: Path) -> Path:
    return file.with_name(file.name + "-wal")


def _sync_names(directory: Path) -> None:
    """Make names durable: without this, a loss of power takes the new file away."""
    opened = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def primary_code(error: BaseException) -> int:
    """SQLite's primary result code; the low byte of the extended one."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF


@contextmanager
def explained(file: Path, doing: str) -> Iterator[None]:
    """Turn what the system says into one error, with the file and the way out."""
    try:
        yield
    except (sqlite3.Error, UnicodeError) as error:  # damaged names are no UTF-8
        match primary_code(error):
            case sqlite3.SQLITE_FULL:
                raise StorageFull(
                    f"{file}: {doing} failed: {error}. Free some space; then it goes on"
                ) from error
            case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
                way_out = "Another program has it open; end that one"
            case (
                sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM
            ):
                way_out = "Make it and its directory writable for this user"
            case sqlite3.SQLITE_IOERR:
                way_out = "Look at the disk and the kernel's log, then restart"
            case _:
                way_out = WAY_OUT
        raise StorageError(f"{file}: {doing} failed: {error}. {way_out}") from error
    except OSError as error:
        raise StorageError(
            f"{file}: {doing} failed: {error.strerror}. "
            "Make it and its directory writable for this user, with space left"
        ) from error
