"""The `navstar` command: run the daemon, and ask it.

Only what a command needs is imported, and only when it runs: `--help` is quick, and
the daemon carries no tables around.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from navstar.cli_options import (
    FAILED,
    INTERRUPTED,
    AsJson,
    ConfigFile,
    Socket,
    config_path,
    print_json,
    say,
)
from navstar.config_cli import config_app
from navstar.errors import ControlError, NavstarError, NotRunning

if TYPE_CHECKING:
    from collections.abc import Callable

    from navstar.config import Config
    from navstar.control import Reply

EXIT_CODES = (
    "Exit codes: 0 all right; 1 failed, or (plan, config check) there are differences "
    "or problems; 2 the command was not understood."
)


class _Commands(TyperGroup):
    """Brings the lab in only when it is called for: it is large."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401
        if args[:1] == ["lab"]:
            from navstar.lab.cli import app as lab

            return "lab", typer.main.get_command(lab), args[1:]
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=_Commands,
    help="Overlay networks: containers on any host reach each other by their own IP.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(config_app, name="config")


@app.command(epilog="Example: navstar run --config /etc/navstar/navstar.toml")
def run(config: ConfigFile = None, *, as_json: AsJson = False) -> None:
    """Run the daemon in the foreground until SIGTERM or Ctrl-C.

    Stopping it leaves the kernel as it is: containers stay reachable, and a restart
    changes nothing. 'navstar down' takes our rows out.
    """
    from functools import partial

    import trio

    from navstar.daemon import run_daemon
    from navstar.logs import open_log

    settings = _load(config)
    section = settings.log
    if as_json:
        section = section.model_copy(update={"format": "json"})
    log = open_log(section, node=settings.node.name)
    trio.run(partial(run_daemon, settings, log=log))


@app.command(epilog="Example: navstar status --json | jq .conflicts")
def status(
    socket: Socket = None, config: ConfigFile = None, *, as_json: AsJson = False
) -> None:
    """Say whether all is well: members, rows, conflicts, what is skipped and why."""
    answer = _ask("status", socket, config)
    _show(answer, "show_status", as_json=as_json)


@app.command(epilog="Example: navstar members")
def members(
    socket: Socket = None, config: ConfigFile = None, *, as_json: AsJson = False
) -> None:
    """List the agents of the cluster as this one sees them."""
    answer = _ask("members", socket, config)
    _show(answer, "show_members", as_json=as_json)


@app.command(epilog="Example: navstar routes | grep 9.0.7.")
def routes(
    socket: Socket = None, config: ConfigFile = None, *, as_json: AsJson = False
) -> None:
    """List the rows of ours in the kernel, and whether they are as they should be."""
    answer = _ask("routes", socket, config)
    _show(answer, "show_routes", as_json=as_json)


@app.command(epilog="Example: navstar plan && echo nothing to do")
def plan(
    socket: Socket = None, config: ConfigFile = None, *, as_json: AsJson = False
) -> None:
    """Show what a pass would change in the kernel now. Exit code 1 if anything."""
    answer = _ask("plan", socket, config)
    _show(answer, "show_plan", as_json=as_json)
    if answer["ops"]:
        raise typer.Exit(FAILED)


@app.command(epilog="Example: navstar down --leave  (this host leaves the cluster)")
def down(
    socket: Socket = None,
    config: ConfigFile = None,
    *,
    leave: Annotated[
        bool,
        typer.Option(
            "--leave",
            help="Leave the cluster for good: withdraw this agent's lines, wait until "
            "somebody has heard, say goodbye, end the daemon.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Take everything of ours out of the kernel, and nothing else.

    With a running daemon it stops reconciling first; 'navstar up' resumes. Without
    one the rows are removed directly. Rows that do not bear our mark stay.
    """
    try:
        answer = _ask("down", socket, config, leave=leave)
    except NotRunning:
        if leave:
            raise
        answer = _remove_directly()
    if as_json:
        print_json(answer)
    else:
        typer.echo(f"{answer['removed']} rows removed.")
        if leave:
            heard = "heard by the others" if answer["heard"] else "heard by nobody"
            typer.echo(f"{answer['withdrawn']} lines withdrawn, {heard}.")
    if answer["refused"]:
        raise ControlError("\n".join(("the kernel refused:", *answer["refused"])))


@app.command(epilog="Example: navstar up")
def up(
    socket: Socket = None, config: ConfigFile = None, *, as_json: AsJson = False
) -> None:
    """Reconcile again after 'navstar down'."""
    answer = _ask("up", socket, config)
    say(answer, f"The daemon is {answer['state']}.", as_json=as_json)


@app.command(
    epilog="Example: navstar confirm  (after 'navstar plan' has shown what would go)"
)
def confirm(
    socket: Socket = None, config: ConfigFile = None, *, as_json: AsJson = False
) -> None:
    """Release the brake: let a withdrawal of many agents at once go on."""
    answer = _ask("confirm", socket, config)
    text = "Going on." if answer["confirmed"] else "Nothing is held back by the brake."
    say(answer, text, as_json=as_json)


@app.command(
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True}
)
def lab() -> None:
    """A cluster on this machine: agents as network namespaces, real daemons."""


def _ask(
    command: str, socket: Path | None, config: Path | None, **arguments: object
) -> Reply:
    from navstar.control import request

    return request(_socket(socket, config), command, **arguments)


def _socket(socket: Path | None, config: Path | None) -> Path:
    """The socket that was named, or that of the file that was named, or the usual."""
    if socket is not None:
        return socket
    if config is not None or config_path(None).exists():
        return _load(config).control.socket
    from navstar.config import DEFAULT_SOCKET

    return DEFAULT_SOCKET


def _load(config: Path | None) -> Config:
    from navstar.config import load_config

    return load_config(config_path(config))


def _remove_directly() -> Reply:
    from navstar.overlay_backend import Kernel
    from navstar.removal import remove_everything
    from navstar.status import removed_json

    with Kernel() as kernel:
        return removed_json(remove_everything(kernel))


def _show(answer: Reply, shower: str, *, as_json: bool) -> None:
    if as_json:
        print_json(answer)
        return
    from navstar import render

    show: Callable[[Reply], None] = getattr(render, shower)
    show(answer)


def main() -> None:
    """Run a command; a user's mistake is a message and never a traceback."""
    try:
        app()
    except NavstarError as error:
        _fail(str(error))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except OSError as error:
        _fail(f"{error.filename + ': ' if error.filename else ''}{error.strerror}")
    except Exception as error:
        from lashup import LashupError

        if not isinstance(error, LashupError):
            raise
        _fail(str(error))


def _fail(message: str) -> None:
    typer.echo(f"navstar: {message}", err=True)
    sys.exit(FAILED)
