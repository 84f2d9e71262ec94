"""Pings from inside containers, driven by one process.

`reach` asks once whether every path works, repeating what is not answered until a
deadline. `PingStream` keeps asking on a few paths at a steady pace, in a thread of its
own, so that an outage of some milliseconds shows while something else is done.
"""

from __future__ import annotations

import selectors
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from navstar.allocation import IpAddress
from navstar.lab import namespaces
from navstar.lab.echo import EchoSocket, family_of
from navstar.lab.trace import Trace, first_answer

#: A probe of a stream every 5 ms: an outage is known to 5 ms.
STREAM_INTERVAL = 0.005
#: How long the last answers of a stream are waited for. The lab's round trip is
#: below 1 ms; the rest is for a busy machine.
STREAM_GRACE = 1.0
#: Between two tries of an unanswered path.
_RETRY = 0.2
#: So many requests before the answers are read: no buffer overflows.
_BURST = 64


@dataclass(frozen=True, slots=True)
class PingPath:
    """From a namespace to an address. `name` is for people: `c1-1 to c2-1 (v6)`."""

    name: str
    namespace: str
    target: IpAddress


@dataclass(frozen=True, slots=True)
class Reached:
    """The outcome of one path: the time of its first answer, or None.

    `after` is seconds from the start of the check to the answer.
    """

    path: PingPath
    after: float | None


class _Sockets:
    """One echo socket per namespace and family."""

    def __init__(self, paths: Iterable[PingPath]) -> None:
        self._sockets: dict[tuple[str, int], EchoSocket] = {}
        self.selector = selectors.DefaultSelector()
        try:
            for path in paths:
                self._open(path)
        except BaseException:
            self.close()
            raise

    def _open(self, path: PingPath) -> None:
        key = (path.namespace, family_of(path.target))
        if key not in self._sockets:
            opened = namespaces.inside(path.namespace, lambda: EchoSocket(key[1]))
            self._sockets[key] = opened
            self.selector.register(opened, selectors.EVENT_READ, opened)

    def of(self, path: PingPath) -> EchoSocket:
        return self._sockets[path.namespace, family_of(path.target)]

    def close(self) -> None:
        self.selector.close()
        for each in self._sockets.values():
            each.close()


def reach(paths: Sequence[PingPath], *, within: float) -> tuple[Reached, ...]:
    """Ping every path until it answers once, for at most `within` seconds.

    Raises:
        LabError: A namespace is not there.
        PermissionError: CAP_NET_RAW is missing.
    """
    began_at = time.monotonic()
    answered: dict[int, float] = {}
    sockets = _Sockets(paths)
    try:
        while len(answered) < len(paths):
            now = time.monotonic()
            if now - began_at > within:
                break
            missing = [each for each in range(len(paths)) if each not in answered]
            for first in range(0, len(missing), _BURST):
                for number in missing[first : first + _BURST]:
                    sockets.of(paths[number]).send(paths[number].target, number)
                _collect(sockets, answered, until=time.monotonic())
            _collect(sockets, answered, until=now + _RETRY, enough=len(paths))
    finally:
        sockets.close()
    return tuple(
        Reached(path, answered[number] - began_at if number in answered else None)
        for number, path in enumerate(paths)
    )


def _collect(
    sockets: _Sockets, answered: dict[int, float], *, until: float, enough: int = 0
) -> None:
    """Read answers until a time has come, or until there are enough."""
    while True:
        left = max(0.0, until - time.monotonic())
        for key, _ in sockets.selector.select(left):
            for reply in key.data.replies():
                answered.setdefault(reply.number, reply.at)
        if time.monotonic() >= until or 0 < enough <= len(answered):
            return


class PingStream:
    """Probes on some paths at a steady pace, until it is stopped.

    A context manager; `stop` may be called before its end, and gives the traces.
    """

    def __init__(
        self, paths: Sequence[PingPath], interval: float = STREAM_INTERVAL
    ) -> None:
        self.paths = tuple(paths)
        self._interval = interval
        self._sockets = _Sockets(paths)
        self._sent_at: list[list[float]] = [[] for _ in paths]
        self._answered_at: list[dict[int, float]] = [{} for _ in paths]
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lab-ping", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
        self._sockets.close()

    def stop(self) -> tuple[Trace, ...]:
        """Send no more, wait for the last answers, and say what each path saw."""
        self._stopping.set()
        self._thread.join()
        return self.traces()

    def traces(self) -> tuple[Trace, ...]:
        """What each path has seen so far, in the order of `paths`."""
        # Answers first: the thread goes on, and an answer needs its probe.
        answers = [dict(each) for each in self._answered_at]
        return tuple(
            Trace(tuple(sent), answered)
            for sent, answered in zip(self._sent_at, answers, strict=True)
        )

    def wait_answered(self, since: float, *, within: float) -> float | None:
        """When the last of the paths had its first answer to a probe after `since`.

        Waits for it for `within` seconds; None if some path stays silent.
        """
        until = time.monotonic() + within
        while True:
            firsts = [
                first_answer(sent, answered, since=since)
                for sent, answered in zip(self._sent_at, self._answered_at, strict=True)
            ]
            known = [each for each in firsts if each is not None]
            if len(known) == len(firsts):
                return max(known)
            if time.monotonic() >= until:
                return None
            time.sleep(self._interval)

    def _run(self) -> None:
        send_at = time.monotonic()
        while not self._stopping.is_set():
            now = time.monotonic()
            if now >= send_at:
                self._send(now)
                # After a stall it does not catch up: the pace stays a pace.
                send_at = max(send_at + self._interval, now)
            self._receive(max(0.0, send_at - time.monotonic()))
        last_at = time.monotonic() + STREAM_GRACE
        while time.monotonic() < last_at and not self._is_complete():
            self._receive(self._interval)

    def _send(self, now: float) -> None:
        for index, path in enumerate(self.paths):
            number = len(self._sent_at[index]) * len(self.paths) + index
            self._sent_at[index].append(now)
            self._sockets.of(path).send(path.target, number)

    def _receive(self, patience: float) -> None:
        for key, _ in self._sockets.selector.select(patience):
            for reply in key.data.replies():
                number, index = divmod(reply.number, len(self.paths))
                self._answered_at[index].setdefault(number, reply.at)

    def _is_complete(self) -> bool:
        return all(
            len(sent) == len(answered)
            for sent, answered in zip(self._sent_at, self._answered_at, strict=True)
        )
