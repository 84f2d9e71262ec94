"""A data directory belongs to one running node.

Two nodes on one directory would mint the same dots for different facts, which no
other node could ever sort out again.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lashup.errors import StorageError

LOCK = "lock"


def lock_directory(directory: Path) -> int:
    """Make the directory (0700, parents too) and lock it for this node.

    Other nodes of the same process are kept out as well. The kernel releases the
    lock when the descriptor is closed or the process ends, however it ends; the
    process id in the file is for the message only.

    Returns:
        A descriptor; close it to release the lock.

    Raises:
        StorageError: Another node has it; its process is named. Or the directory
            cannot be made or written.
    """
    lock = directory / LOCK
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        taken = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unusable(lock, error) from error
    try:
        fcntl.flock(taken, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(taken, 0)
        os.write(taken, f"{os.getpid()}\n".encode())
    except BlockingIOError:
        holder = _holder(taken)
        os.close(taken)
        raise StorageError(
            f"{directory}: in use by the running process {holder}. "
            "Stop that one, or give this node a directory of its own"
        ) from None
    except OSError as error:
        os.close(taken)
        raise _unusable(lock, error) from error
    return taken


@contextmanager
def idle_directory(directory: Path) -> Iterator[None]:
    """Make sure that no node has a data directory, and keep nodes out meanwhile.

    For who tidies up behind a node and must not do so beneath a running one. Nothing
    is written; a directory that is not there, or that no node ever had, is idle.

    Raises:
        StorageError: A node has it; its process is named. Or it cannot be known.
    """
    lock = directory / LOCK
    try:
        taken = os.open(lock, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        yield
        return
    except OSError as error:
        raise StorageError(f"{lock}: cannot be opened: {error.strerror}") from error
    try:
        try:
            fcntl.flock(taken, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(taken)
            raise StorageError(
                f"{directory}: in use by the running process {holder}"
            ) from None
        except OSError as error:
            raise StorageError(f"{lock}: cannot be locked: {error.strerror}") from error
        yield
    finally:
        os.close(taken)


def _holder(lock: int) -> str:
    return os.read(lock, 32).decode(errors="replace").strip() or "unknown"


def _unusable(lock: Path, error: OSError) -> StorageError:
    return StorageError(
        f"{lock}: cannot be written: {error.strerror}. Make {lock.parent} a directory "
        "that this user may write, with space left"
    )
