"""Network namespaces by name, as iproute2 keeps them, and work done inside them.

A namespace belongs to a thread. `inside` runs a function in a thread of its own
that has entered the namespace; sockets which it opens and processes which it
starts stay there when the thread is gone. The process itself never moves, and
nothing forks: pyroute2's own `netns=` would, under our threads' feet.

A signal reaches the main thread only, so what a function does `inside` is done
whole: an interrupt waits until it has ended.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from navstar.lab.errors import LabError, NameTaken

T = TypeVar("T")

#: Where `ip netns` looks.
DIRECTORY = Path("/run/netns")

CLONE_NEWNS = 0x0002_0000
CLONE_NEWUSER = 0x1000_0000
CLONE_NEWNET = 0x4000_0000
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 1 << 18
MS_SHARED = 1 << 20
_MNT_DETACH = 2

_libc = ctypes.CDLL(None, use_errno=True)


def unshare(flags: int) -> None:
    """Give the calling thread namespaces of its own. Raises: OSError."""
    _checked(_libc.unshare(flags), "unshare")


def setns(descriptor: int, flags: int) -> None:
    """Move the calling thread into a namespace. Raises: OSError."""
    _checked(_libc.setns(descriptor, flags), "setns")


def mount(source: str, target: Path, kind: str, flags: int) -> None:
    """Mount something, without further data. Raises: OSError."""
    result = _libc.mount(
        source.encode(), os.fsencode(target), kind.encode(), ctypes.c_ulong(flags), None
    )
    _checked(result, f"mount {target}")


def create(name: str) -> None:
    """Make a network namespace that `ip netns` sees.

    Raises:
        NameTaken: One of this name is there. It is left as it is.
        OSError: The kernel refuses.
    """
    _share_directory()
    path = DIRECTORY / name
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL, 0o444))
    except FileExistsError:
        raise NameTaken(f"a network namespace {name} is there already") from None
    try:
        _in_thread(lambda: _bind_new(path))
    except BaseException:
        remove(name)
        raise


def remove(name: str) -> None:
    """Take the name away; the kernel frees the rest when nobody is inside.

    A name that is not there is no error, nor is one that is no mount.
    """
    path = DIRECTORY / name
    _libc.umount2(os.fsencode(path), _MNT_DETACH)
    path.unlink(missing_ok=True)


def names() -> frozenset[str]:
    """All named network namespaces of this host, whoever made them."""
    try:
        return frozenset(os.listdir(DIRECTORY))
    except FileNotFoundError:
        return frozenset()


def inside(name: str, function: Callable[[], T]) -> T:
    """Run a function in the namespace `name` and return what it returns.

    Raises:
        LabError: There is no such namespace.
        BaseException: Whatever the function raises.
    """
    try:
        descriptor = os.open(DIRECTORY / name, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise LabError(f"there is no network namespace {name}") from None

    def enter_and_run() -> T:
        setns(descriptor, CLONE_NEWNET)
        return function()

    try:
        return _in_thread(enter_and_run)
    finally:
        os.close(descriptor)


def in_unnamed(function: Callable[[], T]) -> T:
    """Run a function in a fresh network namespace that ends with it."""

    def unshare_and_run() -> T:
        unshare(CLONE_NEWNET)
        return function()

    return _in_thread(unshare_and_run)


def _in_thread(function: Callable[[], T]) -> T:
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(function())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, name="lab-namespace")
    thread.start()
    try:
        thread.join()
    except BaseException:
        thread.join()
        raise
    if errors:
        raise errors[0]
    return results[0]


def _bind_new(path: Path) -> None:
    unshare(CLONE_NEWNET)
    mount("/proc/thread-self/ns/net", path, "none", MS_BIND)


def _share_directory() -> None:
    """Make the directory a shared mount, so that namespaces show in other mounts too.

    Under a lock: two that do it at once would mount the directory twice, and the
    second mount would hide the namespaces of the first.
    """
    DIRECTORY.mkdir(mode=0o755, parents=True, exist_ok=True)
    descriptor = os.open(DIRECTORY, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            mount("none", DIRECTORY, "none", MS_SHARED | MS_REC)
        except OSError:
            mount(str(DIRECTORY), DIRECTORY, "none", MS_BIND | MS_REC)
            mount("none", DIRECTORY, "none", MS_SHARED | MS_REC)
    finally:
        os.close(descriptor)


def _checked(result: int, call: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")
