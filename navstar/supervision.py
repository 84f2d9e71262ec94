"""What a supervisor is told: ready, alive, reloading, stopping. For systemd.

A few words on a datagram socket that the environment names; without one, nothing is
sent and nobody waits. The watchdog is fed from the event loop, so a daemon whose
loop hangs is restarted, and its rows stay meanwhile.

Source: sd_notify(3), sd_watchdog_enabled(3).
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from typing import Self

import trio


class Supervisor:
    """Whoever started the daemon and wants to know how it is.

    Args:
        address: Of the socket; None: nobody asks.
        watchdog: Seconds after which silence counts as death; None: never.
    """

    def __init__(self, address: str | None, *, watchdog: float | None = None) -> None:
        self._address = address
        self.watchdog = watchdog

    @classmethod
    def of(cls, environment: Mapping[str, str], *, pid: int) -> Self:
        """The one that the environment names.

        Args:
            environment: As `os.environ`.
            pid: Our own: the watchdog may be meant for another process.
        """
        period = environment.get("WATCHDOG_USEC", "")
        meant_for = environment.get("WATCHDOG_PID", str(pid))
        watched = period.isdigit() and int(period) > 0 and meant_for == str(pid)
        return cls(
            environment.get("NOTIFY_SOCKET") or None,
            watchdog=int(period) / 1e6 if watched else None,
        )

    def ready(self, status: str) -> None:
        """The daemon serves, for the first time or after a reload."""
        self._say("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """The configuration is being read again; `ready` follows."""
        # systemd wants the moment, to tell this reload from an earlier one.
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._say("RELOADING=1", f"MONOTONIC_USEC={now}")

    def stopping(self) -> None:
        """The daemon ends, as it was asked to."""
        self._say("STOPPING=1")

    async def feed_watchdog(self) -> None:
        """Say that we live, twice as often as is asked, until cancelled."""
        if self.watchdog is None:
            return
        while True:
            self._say("WATCHDOG=1")
            await trio.sleep(self.watchdog / 2)

    def _say(self, *words: str) -> None:
        if self._address is None:
            return
        # A leading @ stands for a zero byte: a name without a file.
        address = self._address.encode()
        if address.startswith(b"@"):
            address = b"\0" + address[1:]
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
            to.settimeout(0)
            try:
                to.sendto("\n".join(words).encode(), address)
            except OSError:
                return  # It is gone, or does not listen; that is its loss.


def supervisor() -> Supervisor:
    """The one of this process."""
    return Supervisor.of(os.environ, pid=os.getpid())
