"""The commands that look closely: what differs, which way a packet goes, the host."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from navstar.cli_options import FAILED, AsJson, ConfigFile, Socket, ask, say, show

Address = Annotated[
    str,
    typer.Argument(help="Of a container, a VTEP or an agent; IPv4 or IPv6."),
]


def diff(
    socket: Socket = None, config: ConfigFile = None, *, as_json: AsJson = False
) -> None:
    """List the rows that are missing, different or surplus, and who published them.

    Exit code 1 if there is any, or a foreign link where one of navstar's should be.
    """
    answer = ask("diff", socket, config)
    show(answer, "show_diff", as_json=as_json)
    if answer["rows"] or answer["in_the_way"]:
        raise typer.Exit(FAILED)


def explain(
    address: Address,
    socket: Socket = None,
    config: ConfigFile = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Walk the way of a packet: rule, route, neighbour, FDB row, underlay.

    Each step says what should be there, what the kernel has, who published it and
    how old the claim is. Exit code 1 if a step is wrong, or no way leads there.
    """
    answer = ask("explain", socket, config, address=address)
    show(answer, "show_explanation", as_json=as_json)
    if not answer["ok"]:
        raise typer.Exit(FAILED)


def doctor(
    socket: Socket = None, config: ConfigFile = None, *, as_json: AsJson = False
) -> None:
    """Examine this host: what is wrong, what that costs, and the command that mends it.

    Works with and without a running daemon, and changes nothing. Exit code 1 if
    something is wrong; remarks alone are exit code 0.
    """
    from navstar.doctor.examination import examine_host

    answer = examine_host(socket, config)
    show(answer, "show_examination", as_json=as_json)
    if not answer["ok"]:
        raise typer.Exit(FAILED)


def install(
    *,
    root: Annotated[
        Path | None,
        typer.Option("--root", help="Write them below this directory."),
    ] = None,
    printed: Annotated[
        bool, typer.Option("--print", help="Print them; the default.")
    ] = False,
    program: Annotated[
        str | None, typer.Option(help="Path of navstar in the unit; default: this one.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace files that say something else.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print or write what systemd, networkd and NetworkManager should know of navstar.

    A unit, and drop-ins that keep other daemons from removing its rows. What is there
    and says something else is left as it is, and named. Nothing is started;
    'systemctl daemon-reload' and 'systemctl enable --now navstar' do that.
    """
    from navstar.installation import HOMES, Changed, files
    from navstar.installation import install as install_files

    program = program or _this_program()
    if not Path(program).is_absolute():
        raise typer.BadParameter(f"--program: {program!r} is not an absolute path")
    if root is not None and printed:
        raise typer.BadParameter("--print and --root exclude each other")
    if any(Path(program).is_relative_to(home) for home in HOMES):
        typer.echo(
            f"warning: {program} is below a home directory, which ProtectHome=yes "
            "hides from the unit; install it elsewhere (/opt/navstar)",
            err=True,
        )
    if root is None:
        found = {f"/{name}": text for name, text in files(program=program).items()}
        text = "\n".join(f"# {name}\n{text}" for name, text in found.items())
        say({"files": found}, text.rstrip(), as_json=as_json)
        return
    changed = Changed.REPLACE if force else Changed.KEEP
    done = install_files(root, program=program, changed=changed)
    written, kept = list(map(str, done.written)), list(map(str, done.kept))
    lines = [f"{path} written" for path in written]
    lines += [
        f"{path} says something else: kept (--force replaces it)" for path in kept
    ]
    text = "\n".join(lines) or "All is there already."
    say({"written": written, "kept": kept}, text, as_json=as_json)


def _this_program() -> str:
    """The absolute path of the command that runs now, or the usual one."""
    beside = Path(sys.executable).with_name("navstar")
    return str(beside) if beside.exists() else "/usr/bin/navstar"
