"""A data directory belongs to one running node.

Two nodes on one directory would mint the same dots for different facts, which no
other node could ever sort out again.
"""

from __future__ import annotations

import fcntl
import os
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
        holder = os.read(taken, 32).decode(errors="replace").strip()
        os.close(taken)
        raise StorageError(
            f"{directory}: in use by the running process {holder or 'unknown'}. "
            "Stop that one, or give this node a directory of its own"
        ) from None
    except OSError as error:
        os.close(taken)
        raise _unusable(lock, error) from error
    return taken


def _unusable(lock: Path, error: OSError) -> StorageError:
    return StorageError(
        f"{lock}: cannot be written: {error.strerror}. Make {lock.parent} a directory "
        "that this user may write, with space left"
    )
