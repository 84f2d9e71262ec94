"""`navstar config`: the commands."""

from __future__ import annotations

import typer

from navstar.cli_options import FAILED, AsJson, ConfigFile, config_path, print_json, say

config_app = typer.Typer(
    help="Look at the configuration without running anything.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@config_app.command(epilog="Example: navstar config check --config navstar.toml")
def check(config: ConfigFile = None, *, as_json: AsJson = False) -> None:
    """Name every problem of the file, its key files and its allocation file.

    Nothing is started or changed. Exit code 1 if there is any problem; warnings alone
    are exit code 0.
    """
    from navstar.config_check import find_problems, find_warnings

    path = config_path(config)
    problems = [str(problem) for problem in find_problems(path)]
    warnings = [str(warning) for warning in find_warnings(path)]
    if as_json:
        answer = {"ok": not problems, "problems": problems, "warnings": warnings}
        print_json(answer)
    else:
        verdict = [] if problems else [f"{path} is all right."]
        lines = [*problems, *(f"warning: {one}" for one in warnings), *verdict]
        typer.echo("\n".join(lines))
    if problems:
        raise typer.Exit(FAILED)


@config_app.command(epilog="Example: navstar config show-defaults > navstar.toml")
def show_defaults(*, as_json: AsJson = False) -> None:
    """Print a configuration with every field, its default, and what it is for."""
    from navstar.config_check import EXAMPLE

    say({"toml": EXAMPLE}, EXAMPLE.strip(), as_json=as_json)
