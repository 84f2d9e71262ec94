"""How far the runs are, on stderr, for somebody who watches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from simulations.campaign import Finished, Result, Task


def watched(
    results: Iterable[Result], *, tasks: Sequence[Task], done: int
) -> Iterator[Result]:
    """Pass results on and show a bar meanwhile; nothing where nobody watches.

    Args:
        results: As they come.
        tasks: Those that results are to come of.
        done: Runs that were done before.
    """
    console = Console(stderr=True)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("left:"),
        TimeRemainingColumn(compact=True),
    )
    total = sum(task.effort for task in tasks)
    runs, bad = done, 0
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        bar = progress.add_task(_text(runs, done + len(tasks), bad), total=total)
        for result in results:
            runs += 1
            bad += not isinstance(result, Finished) or bool(
                result.record.outcome.violations
            )
            text = _text(runs, done + len(tasks), bad)
            progress.update(bar, advance=result.task.effort, description=text)
            yield result


def _text(runs: int, total: int, bad: int) -> str:
    failed = f", [red]{bad} failed[/]" if bad else ""
    return f"{runs} of {total} runs{failed}"
