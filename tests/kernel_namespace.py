"""A network namespace that lives as long as one thread, so nothing is left over."""

from __future__ import annotations

import ctypes
import os
import subprocess
import threading
from collections.abc import Callable
from typing import TypeVar

import pytest

CLONE_NEWNET = 0x40000000

ResultT = TypeVar("ResultT")


def in_namespace(scenario: Callable[[], ResultT]) -> ResultT:
    """Run `scenario` in a thread with a network namespace of its own.

    The namespace goes away with the thread and the sockets that it opened. Child
    processes of `scenario` are in it too.
    """
    if os.geteuid() != 0:
        pytest.skip("needs root to make a network namespace")
    results: list[ResultT] = []
    errors: list[BaseException] = []

    def body() -> None:
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.unshare(CLONE_NEWNET) != 0:
                number = ctypes.get_errno()
                pytest.skip(f"no network namespace here: {os.strerror(number)}")
            # Without any IPv4 address the kernel has no local table, and takes every
            # gateway for a broadcast address. No host is like that.
            ip("link set lo up")
            results.append(scenario())
        except BaseException as error:  # carried over to the test's own thread
            errors.append(error)

    thread = threading.Thread(target=body, name="namespace")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def ip(command: str) -> str:
    """Run iproute2's `ip` where the caller is; what it says."""
    done = subprocess.run(["ip", *command.split()], capture_output=True, text=True)
    assert done.returncode == 0, f"ip {command}: {done.stderr}"
    return done.stdout
