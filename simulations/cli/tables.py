"""What came of runs, for people: a table for each configuration, then what failed."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from simulations.campaign import Broken, Result
from simulations.campaign.task import all_parameters
from simulations.results import document, group, summaries
from simulations.results.record import Record
from simulations.results.summary import Group
from simulations.scenario import Outcome
from simulations.scenarios import SCENARIOS

#: Failed runs that are shown in full.
_SHOWN = 5


def show_groups(records: Sequence[Record], console: Console) -> None:
    """A table for each configuration: the metrics over its seeds."""
    for each in group(records):
        console.print(_table(each))


def show_failures(
    outcomes: Sequence[Outcome], broken: Sequence[Broken], console: Console
) -> None:
    """What did not hold, and for each run the command that replays it."""
    failed = [run for run in outcomes if run.violations]
    for run in failed[:_SHOWN]:
        console.print(f"[red]seed {run.seed} violated an invariant:[/]")
        for violation in run.violations[:_SHOWN]:
            console.print(f"  {escape(violation)}", highlight=False)
        _show_command(run.command, console)
    for each in broken[:_SHOWN]:
        console.print(f"[red]seed {each.task.seed} did not end:[/]")
        console.print(escape(each.reason.rstrip()), highlight=False)
        _show_command(each.task.command, console)
    hidden = max(0, len(failed) - _SHOWN) + max(0, len(broken) - _SHOWN)
    if hidden:
        console.print(f"... and {hidden} more failed")


def documents(records: Sequence[Record]) -> list[dict[str, object]]:
    """The same for programs, one for each configuration."""
    return [document(each) for each in group(records)]


def wide(console: Console) -> Console:
    """Tables that go to a file or a pipe are not folded to 80 columns."""
    if not console.is_terminal:
        console.width = 140
    return console


def failures(results: Sequence[Result]) -> list[Broken]:
    """The runs that did not end."""
    return [each for each in results if isinstance(each, Broken)]


def title_of(group: Group) -> str:
    """Scenario and what differs from the defaults, in a line."""
    # A model's parameters are shown as they are.
    is_scenario = group.scenario in SCENARIOS
    defaults = all_parameters(group.scenario, {}) if is_scenario else {}
    chosen = [
        f"{option} {value:g}" if isinstance(value, int | float) else f"{option} {value}"
        for option, value in group.parameters.items()
        if option == "nodes" or value != defaults.get(option)
    ]
    return f"{group.scenario}: {', '.join(chosen)}"


def _table(group: Group) -> Table:
    count = len(group.runs)
    table = Table(
        "metric",
        *("median", "p99", "worst"),
        "seed of the worst",
        "meaning",
        title=f"{title_of(group)}; {count} seed{'s' * (count != 1)}",
        title_justify="left",
    )
    for column in table.columns[1:5]:
        column.justify = "right"
    for metric, each in summaries(group.runs).items():
        missing = count - each.count
        note = f" [red](not in {missing} runs)[/]" if missing else ""
        numbers = (each.median, each.p99, each.worst)
        table.add_row(
            metric.value,
            *map(_number, numbers),
            str(each.worst_seed),
            metric.summary + note,
        )
    wall = sum(run.wall_s for run in group.runs)
    memory = max(run.peak_rss_bytes for run in group.runs) / 2**20
    virtual = sum(run.virtual_s for run in group.runs)
    table.caption = (
        f"{virtual:,.0f} virtual seconds in {wall:,.1f} s of one core; "
        f"{memory:,.0f} MiB at most"
    )
    return table


def _number(value: float) -> str:
    if value == int(value) and abs(value) < 1e6:
        return str(int(value))
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _show_command(command: str, console: Console) -> None:
    console.print("replay it:")
    # On one line, however narrow the terminal is: it is there to be copied.
    console.print(f"  {escape(command)}", highlight=False, soft_wrap=True)
