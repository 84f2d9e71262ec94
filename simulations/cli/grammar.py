"""Which commands and options there are; scenarios bring options of their own.

Arguments stay text here: what they mean is found out by the commands, so that every
error names the parameter and ends the same way.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from simulations.cli import commands
from simulations.conditions import Parameter
from simulations.scenario import Scenario
from simulations.scenarios import SCENARIOS

PROGRAM = "python -m simulations"

_ABOUT = """\
Whole clusters of real nodes under a virtual clock and a bad network.

The nodes are those of production, byte for byte; only time, sockets and disks are
not real. A run is a function of its seed.
"""
_EXAMPLES = f"""\
examples:
  what there is, and what a scenario can be told
      {PROGRAM} list
      {PROGRAM} run partition --help
  200 nodes fall into two parts for a minute, five in a hundred datagrams are lost
      {PROGRAM} run partition --nodes 200 --split 0.6 --for 60s --loss 0.05 --seeds 20
  everything that happens in one run
      {PROGRAM} run update --nodes 50 --seed 7 --trace update.jsonl
  the same experiment at all sizes and losses; go on where it was interrupted
      {PROGRAM} sweep update --nodes 10,100,1000 --loss 0,0.1 --seeds 50 -o results
  a page with plots of what was found
      {PROGRAM} report results -o report.html
  beyond the size that can be run exactly
      {PROGRAM} model detect --nodes 100000

exit codes: 0 all right; 1 a run violated an invariant (the command that replays it
is shown) or did not end; 2 the command was not understood; 130 interrupted
"""
_MODEL = f"""\
Detection and dissemination as arrays, for clusters that cannot be run exactly.
Parameters take several values with commas between.

examples:
  {PROGRAM} model detect --nodes 10000,100000
  {PROGRAM} model update --nodes 1000000 --loss 0.1 --seeds 5
  {PROGRAM} model update --nodes 100,300,1000 --loss 0,0.1 --check
"""
_SEEDS = "20: seeds 1 to 20; 5-9; 3,7-9 (default: 1)"


def parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """The whole command line, ready for these arguments.

    The models are there only when they are asked for: they need NumPy.
    """
    top = _Parser(prog=PROGRAM, description=_ABOUT, epilog=_EXAMPLES)
    kinds = top.add_subparsers(metavar="COMMAND", required=True, parser_class=_Parser)
    listing = _command(kinds, "list", "the scenarios and their parameters")
    listing.set_defaults(act=commands.list_scenarios)
    listing.add_argument("--json", action="store_true", help="as one JSON array")
    _add_run(kinds)
    _add_sweep(kinds)
    _add_report(kinds)
    _add_model(kinds, wanted=arguments[:1] == ["model"])
    return top


class Parametrised(Protocol):
    """A scenario or a model: it says which parameters it takes."""

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Which."""
        ...


class _Parser(argparse.ArgumentParser):
    """No guessing of half-written options; texts stand as they were written."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401  # as argparse has it
        options["formatter_class"] = argparse.RawDescriptionHelpFormatter
        # The last wins: options of ours over parameters of the same name.
        options["conflict_handler"] = "resolve"
        super().__init__(**options, allow_abbrev=False)
        self.set_defaults(program=self.prog)


def _add_run(kinds: Any) -> None:  # noqa: ANN401  # argparse's class is private
    run = _command(kinds, "run", "one scenario, with one or many seeds")
    for each in _scenarios(run):
        scenario = each.get_default("scenario")
        each.epilog = f"example:\n  {_example(scenario)}"
        each.set_defaults(act=commands.run)
        _add_parameters(each, scenario, lambda p: f"{p.help} (default: {_show(p)})")
        _add_seeds(each)
        _add_where(each)
        each.add_argument("--json", action="store_true", help="results on stdout")
        each.add_argument(
            "--trace", type=Path, metavar="FILE", help="every event, a JSON line each"
        )
        each.add_argument(
            "-o",
            "--output",
            type=Path,
            metavar="RESULTS",
            help="keep the results in this directory, for `report`",
        )


def _add_sweep(kinds: Any) -> None:  # noqa: ANN401
    sweep = _command(
        kinds, "sweep", "one scenario with all combinations of values; can go on"
    )
    for each in _scenarios(sweep):
        scenario = each.get_default("scenario")
        each.description = (
            f"{scenario.summary}\n\nEvery parameter takes several values with commas "
            "between.\nInterrupted, the same command goes on where it was."
        )
        each.set_defaults(act=commands.sweep)
        _add_parameters(each, scenario, lambda p: f"{p.help} (default: {_show(p)})")
        _add_seeds(each)
        _add_where(each)
        each.add_argument("--json", action="store_true", help="results on stdout")
        each.add_argument(
            "-o",
            "--output",
            type=Path,
            metavar="RESULTS",
            default=Path(f"results-{scenario.name}"),
            help=f"the directory of the results (default: results-{scenario.name})",
        )


def _add_report(kinds: Any) -> None:  # noqa: ANN401
    report = _command(kinds, "report", "one HTML page with plots of results")
    report.set_defaults(act=commands.report)
    report.add_argument(
        "results", type=Path, nargs="+", metavar="RESULTS", help="directories"
    )
    report.add_argument(
        "-o", "--output", type=Path, default=Path("report.html"), metavar="FILE"
    )
    report.add_argument("--title", default="Simulations", help="of the page")


def _add_model(kinds: Any, *, wanted: bool) -> None:  # noqa: ANN401
    model = _command(kinds, "model", "the vectorised model, up to a million nodes")
    model.description = _MODEL
    if not wanted:
        return
    from simulations.model import MODELS

    chosen = model.add_subparsers(metavar="MODEL", required=True, parser_class=_Parser)
    for name, each in MODELS.items():
        one = chosen.add_parser(name, help=each.summary, description=each.summary)
        one.set_defaults(act=commands.model, scenario=each)
        _add_parameters(one, each, lambda p: f"{p.help} (default: {_show(p)})")
        one.add_argument("--seeds", metavar="SEEDS", default="20", help=_SEEDS)
        one.add_argument("--seed", type=int, metavar="SEED", help="this one alone")
        one.add_argument(
            "--check",
            action="store_true",
            help="run the exact scenario as well, and state the error of the model",
        )
        one.add_argument("--jobs", type=int, metavar="N", help="exact runs at a time")
        one.add_argument("--json", action="store_true", help="results on stdout")
        one.add_argument(
            "-o",
            "--output",
            type=Path,
            metavar="RESULTS",
            help="keep them for `report`",
        )


def _command(kinds: Any, name: str, about: str) -> argparse.ArgumentParser:  # noqa: ANN401
    made: argparse.ArgumentParser = kinds.add_parser(
        name, help=about, description=about[0].upper() + about[1:] + "."
    )
    return made


def _scenarios(parent: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    kinds = parent.add_subparsers(
        metavar="SCENARIO", required=True, parser_class=_Parser
    )
    made: list[argparse.ArgumentParser] = []
    for name, scenario in SCENARIOS.items():
        each = kinds.add_parser(
            name, help=scenario.summary, description=scenario.summary
        )
        each.set_defaults(scenario=scenario)
        made.append(each)
    return made


def _add_parameters(
    parser: argparse.ArgumentParser,
    scenario: Parametrised,
    about: Callable[[Parameter], str],
) -> None:
    group = parser.add_argument_group("parameters")
    for each in scenario.parameters:
        group.add_argument(
            f"--{each.option}",
            dest=f"parameter {each.option}",
            metavar=_metavar(each),
            help=about(each).replace("%", "%%"),
        )


def _add_seeds(parser: argparse.ArgumentParser) -> None:
    seeds = parser.add_mutually_exclusive_group()
    seeds.add_argument("--seeds", metavar="SEEDS", help=_SEEDS)
    seeds.add_argument("--seed", type=int, metavar="SEED", help="this one alone")


def _add_where(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--jobs", type=int, metavar="N", help="runs at a time (default: all cores)"
    )
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="run on the Dask cluster of this scheduler, e.g. tcp://10.0.0.1:8786",
    )


def _metavar(parameter: Parameter) -> str:
    if parameter.choices:
        return "{" + ",".join(parameter.choices) + "}"
    if parameter.unit == "s":
        return "TIME"
    return {int: "N", float: "X", str: "TEXT"}[parameter.kind]


def _show(parameter: Parameter) -> str:
    text = parameter.show(parameter.default)
    return text if parameter.unit in ("", "s") else f"{text} {parameter.unit}"


def _example(scenario: Scenario[Any]) -> str:
    own = [p for p in scenario.parameters if p.unit == "s"][:1]
    words = " ".join(f"--{p.option} {_show(p)}" for p in own)
    text = f"{PROGRAM} run {scenario.name} --nodes 50 {words} --loss 0.05 --seeds 20"
    return " ".join(text.split())
