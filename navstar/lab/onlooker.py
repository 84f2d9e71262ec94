"""Progress of a run, for whoever waits for it: on stderr, a line per claim."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.status import Status

from navstar.lab.report import Check


class Onlooker:
    """Shows what is being done, and each result as it comes.

    A terminal gets one line that changes; a log gets a line for each thing.
    """

    def __init__(self) -> None:
        self._console = Console(stderr=True, emoji=False)
        self._began_at = time.monotonic()
        self._status: Status | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._status = self._console.status("")
            self._status.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._status is not None:
            self._status.stop()

    def doing(self, what: str) -> None:
        """Something has begun."""
        if self._status is not None:
            self._status.update(escape(what))
        else:
            self._print(f"      {escape(what)} ...")

    def done(self, check: Check) -> None:
        """A claim has been checked."""
        mark = "[green]ok[/]    " if check.ok else "[bold red]FAILED[/]"
        self._print(f"{mark} {escape(check.name)}: {escape(check.said)}")

    def _print(self, markup: str) -> None:
        elapsed = time.monotonic() - self._began_at
        self._console.print(
            f"[dim]{elapsed:6.1f}[/] {markup}", highlight=False, soft_wrap=True
        )
