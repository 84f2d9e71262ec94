"""Ctrl-C and friends: when they end a lab, and when they have to wait.

Every signal that asks the lab to end becomes KeyboardInterrupt in the main thread,
so that one `finally` cleans up after all of them.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(KeyboardInterrupt):
    """A signal asked the lab to end. `number` is the signal's."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise Interrupted in the main thread for each signal that asks us to end."""

    def raise_it(number: int, _: FrameType | None) -> None:
        raise Interrupted(number)

    with _handled_by(raise_it):
        yield


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Finish what is inside first; a signal that came meanwhile counts afterwards."""
    waiting: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        waiting.append(number)

    try:
        with _handled_by(note):
            yield
    finally:
        for number in waiting[:1]:
            os.kill(os.getpid(), number)


@contextmanager
def _handled_by(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    # Only the main thread may set handlers, and only it is ever interrupted.
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {each: signal.getsignal(each) for each in _SIGNALS}
    for each, handled in before.items():
        # Who started us has switched this one off, as nohup does.
        if handled is not signal.SIG_IGN:
            signal.signal(each, handler)
    try:
        yield
    finally:
        for each, handled in before.items():
            signal.signal(each, handled)
