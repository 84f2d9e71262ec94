"""The page: for each scenario what it cost, then each configuration with its plots."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from string import Template

from lashup.errors import UsageError
from simulations.campaign.task import command_for
from simulations.cli.tables import title_of
from simulations.report import plots
from simulations.results import Record, group, read_results, summaries
from simulations.results.summary import Group
from simulations.scenarios import SCENARIOS

_TEMPLATE = Path(__file__).with_name("page.html")


def write_report(directories: Sequence[Path], output: Path, *, title: str) -> int:
    """Write a page about all runs in some directories; returns its size in bytes.

    Raises:
        UsageError: There are no results, or the page cannot be written.
    """
    records = [record for each in directories for record in read_results(each)]
    if not records:
        raise UsageError(f"{directories[0]}: no run is in it yet")
    page = page_of(records, title=title).encode()
    try:
        output.write_bytes(page)
    except OSError as error:
        raise UsageError(f"--output: {output}: {error.strerror}") from error
    return len(page)


def page_of(records: Sequence[Record], *, title: str) -> str:
    """The page as text."""
    groups = sorted(group(records), key=_place)
    names = list(dict.fromkeys(each.scenario for each in groups))
    body = "\n".join(
        part
        for name in names
        for part in _scenario(name, [g for g in groups if g.scenario == name])
    )
    codes = sorted({record.code for record in records})
    foot = f"Code of the runs: {', '.join(codes)}."
    if len(codes) > 1:
        foot += " These are different versions: compare with care."
    return Template(_TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=escape(title),
        lead="\n".join(_lead(records, groups)),
        body=body,
        foot=foot,
    )


def _lead(records: Sequence[Record], groups: Sequence[Group]) -> Iterator[str]:
    wall = sum(record.outcome.wall_s for record in records)
    virtual = sum(record.outcome.virtual_s for record in records)
    yield (
        f"<p>{len(records):,} runs of {len(groups)} configurations: "
        f"{virtual:,.0f} virtual seconds in {wall:,.0f} seconds of one core. "
        "The nodes are those of production; a run is a function of its seed, and "
        "the command under each plot makes its data again.</p>"
    )
    failed = [r.outcome for r in records if r.outcome.violations]
    if failed:
        yield f'<p class="bad">{len(failed)} runs violated an invariant:</p>'
        for run in failed[:10]:
            yield f"<p>{escape(run.violations[0])}</p><pre>{escape(run.command)}</pre>"
    yield '<nav aria-label="Configurations"><ul>'
    for each in groups:
        yield f'<li><a href="#{_anchor(each)}">{escape(title_of(each))}</a></li>'
    yield "</ul></nav>"


def _scenario(name: str, groups: Sequence[Group]) -> Iterator[str]:
    about = SCENARIOS[name].summary if name in SCENARIOS else ""
    yield f'<section><h2 id="{escape(name)}">{escape(name)}</h2>'
    yield f'<p class="faint">{escape(about)}</p>'
    series = [s for s in plots.series_of(groups) if len(s.groups) > 1]
    drawn = plots.against_size(series) if series else None
    if drawn is not None:
        chosen = [each for s in series for each in s.groups]
        yield _figure(
            drawn,
            "Cost and times against the number of nodes: the median over the seeds, "
            "with a bar up to the worst.",
            [_command(each) for each in chosen],
        )
    else:
        yield (
            '<p class="faint">One size only: a sweep over several (--nodes 10,100) '
            "shows here what it costs to grow.</p>"
        )
    for each in groups:
        yield from _configuration(each)
    yield "</section>"


def _configuration(each: Group) -> Iterator[str]:
    yield f'<h3 id="{_anchor(each)}">{escape(title_of(each))}</h3>'
    yield from _table(each)
    drawn = plots.convergence(each)
    if drawn is not None:
        count = len(each.runs)
        text = f"Convergence: a thin line for each of {count} seeds, bold the median."
        if count == 1:
            text = f"Convergence of seed {each.runs[0].seed}."
        yield _figure(drawn, text, [_command(each)])
    run = next((run for run in each.runs if run.heat_map is not None), None)
    if run is not None and run.heat_map is not None:
        yield _figure(
            plots.heat_map(run.heat_map),
            f"Members that each node sees live, seed {run.seed}. "
            "A partition opens where the rows darken, and closes where they light up.",
            [run.command],
        )
    if drawn is None and run is None:
        yield f"<pre>{escape(_command(each))}</pre>"


def _table(each: Group) -> Iterator[str]:
    count = len(each.runs)
    yield '<div class="scroll"><table><thead><tr><th>metric</th>'
    for name in ("median", "p99", "worst", "its seed"):
        yield f'<th class="n">{name}</th>'
    yield "<th>meaning</th></tr></thead><tbody>"
    for metric, found in summaries(each.runs).items():
        yield f"<tr><td><code>{metric}</code></td>"
        for value in (found.median, found.p99, found.worst):
            yield f'<td class="n">{_number(value)}</td>'
        yield f'<td class="n">{found.worst_seed}</td><td>{escape(metric.summary)}'
        if found.count < count:
            yield f' <span class="bad">(not in {count - found.count} runs)</span>'
        yield "</td></tr>"
    yield "</tbody></table></div>"


def _figure(svg: str, caption: str, commands: Sequence[str]) -> str:
    shown = "\n".join(escape(command) for command in commands)
    return (
        f"<figure>{svg}<figcaption>{escape(caption)}<pre>{shown}</pre></figcaption>"
        "</figure>"
    )


def _command(each: Group) -> str:
    if each.scenario not in SCENARIOS:
        return each.runs[0].command
    return command_for(each.scenario, each.parameters, each.seeds)


def _anchor(each: Group) -> str:
    values = "-".join(str(value) for value in each.parameters.values())
    return "c-" + "".join(
        c if c.isalnum() else "-" for c in f"{each.scenario}-{values}"
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _place(each: Group) -> tuple[int, list[str]]:
    names = list(SCENARIOS)
    place = names.index(each.scenario) if each.scenario in SCENARIOS else len(names)
    return place, [
        f"{v:020.6f}" if not isinstance(v, str) else v for v in each.parameters.values()
    ]
