"""The commands of navstar, from its typer application."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer
from typer.core import TyperGroup


def command_line() -> str:
    """Every command with its arguments and options."""
    from navstar.cli import app

    root = typer.main.get_command(app)
    sections = _sections(root, typer.Context(root, info_name="navstar"))
    return "\n\n".join([root.epilog or "", *sections])


# Typer brings a click of its own since 0.2x, so nothing here names click's types.
def _sections(command: Any, context: Any) -> Iterator[str]:  # noqa: ANN401
    if not isinstance(command, TyperGroup):
        yield _section(command, context)
        return
    for name in command.list_commands(context):
        # Resolved as on the command line, because some are imported only then.
        _, child, _ = command.resolve_command(context, [name])
        if child is not None and not child.hidden:
            inner = typer.Context(child, info_name=name, parent=context)
            yield from _sections(child, inner)


def _section(command: Any, context: Any) -> str:  # noqa: ANN401
    usage = " ".join(command.collect_usage_pieces(context))
    lines = [
        f"## `{context.command_path}`",
        "",
        f"    {context.command_path} {usage}",
        "",
        (command.help or "").strip(),
        *(("", command.epilog) if command.epilog else ()),
    ]
    records = [p.get_help_record(context) for p in command.get_params(context)]
    rows = [
        f"| `{names}` | {' '.join(meaning.split())} |"
        for names, meaning in filter(None, records)
        if names != "--help"
    ]
    if rows:
        lines += ["", "| | |", "|---|---|", *rows]
    return "\n".join(lines)
