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

from navstar import cli_inspect
from navstar.cli_options import (
    FAILED,
    INTERRUPTED,
    AsJson,
    ConfigFile,
    LogAsJson,
    Socket,
    ask,
    control_socket,
    data_directory,
    fail,
    load,
    print_json,
    say,
    show,
)
from navstar.config_cli import config_app
from navstar.errors import ControlError, NavstarError, NotRunning

if TYPE_CHECKING:
    from navstar.control import Reply

EXIT_CODES = (
    "Exit codes: 0 all right; 1 failed, or (status, plan, diff, explain, doctor, "
    "config check) there are differences or problems; 2 the command was not understood."
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


def _version(asked: bool) -> None:  # noqa: FBT001  as typer calls it
    if asked:
        from importlib.metadata import version

        typer.echo(f"navstar {version('lashup')}")
        raise typer.Exit


@app.callback()
def options(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_version,
            is_eager=True,
            help="Print the version, and nothing else.",
        ),
    ] = False,
) -> None:
    """Overlay networks: containers on any host reach each other by their own IP."""


@app.command(epilog="Example: navstar run --config /etc/navstar/navstar.toml")
def run(config: ConfigFile = None, *, as_json: LogAsJson = False) -> None:
    """Run the daemon in the foreground until SIGTERM or Ctrl-C.

    SIGHUP reads the configuration again: [reconcile], overlay.agent_ip, and bind,
    advertise and seeds of [lashup] count from then on; the log names what needs a
    restart. systemd is told when it is ready.

    Stopping it leaves the kernel as it is: containers stay reachable, and a restart
    changes nothing. 'navstar down' takes our rows out.
    """
    from functools import partial

    import trio

    from navstar.daemon import run_daemon
    from navstar.logs import open_log

    settings = load(config)
    section = settings.log
    if as_json:
        section = section.model_copy(update={"format": "json"})
    log = open_log(section, node=settings.node.name)
    reread = partial(load, config)
    trio.run(partial(run_daemon, settings, reread=reread, log=log))


@app.command(epilog="Example: navstar status --json | jq .conflicts")
def status(
    socket: Socket = None, config: ConfigFile = None, *, as_json: AsJson = False
) -> None:
    """Say whether all is well: members, rows, conflicts, what is skipped and why.

    Exit code 1 if something is wrong: no seed answers, the table is not synchronised,
    the source is faulty, a conflict, rows missing or refused, a foreign link in the
    way, or all taken down.
    """
    answer = ask("status", socket, config)
    show(answer, "show_status", as_json=as_json)
    if not answer["ok"]:
        raise typer.Exit(FAILED)


@app.command(epilog="Example: navstar members")
def members(
    socket: Socket = None, config: ConfigFile = None, *, as_json: AsJson = False
) -> None:
    """List the agents of the cluster as this one sees them."""
    answer = ask("members", socket, config)
    show(answer, "show_members", as_json=as_json)


@app.command(epilog="Example: navstar routes | grep 9.0.7.")
def routes(
    socket: Socket = None, config: ConfigFile = None, *, as_json: AsJson = False
) -> None:
    """List the rows of ours in the kernel, and whether they are as they should be."""
    answer = ask("routes", socket, config)
    show(answer, "show_routes", as_json=as_json)


@app.command(epilog="Example: navstar plan && echo nothing to do")
def plan(
    socket: Socket = None, config: ConfigFile = None, *, as_json: AsJson = False
) -> None:
    """Show what a pass would change in the kernel now.

    Exit code 1 if anything, or if a foreign link is in the way of it.
    """
    answer = ask("plan", socket, config)
    show(answer, "show_plan", as_json=as_json)
    if answer["ops"] or answer["in_the_way"]:
        raise typer.Exit(FAILED)


app.command(epilog="Example: navstar diff --json | jq .rows")(cli_inspect.diff)
app.command(epilog="Example: navstar explain 9.0.7.12")(cli_inspect.explain)
app.command(epilog="Example: navstar doctor && echo this host is fit")(
    cli_inspect.doctor
)
app.command(epilog="Example: navstar install --root /")(cli_inspect.install)


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
    one, which the data directory's lock tells, the rows are removed directly. Rows
    that do not bear our mark stay.
    """
    try:
        answer = ask("down", socket, config, leave=leave)
    except NotRunning:
        if leave:
            raise
        answer = _remove_directly(socket, config)
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
    answer = ask("up", socket, config)
    say(answer, f"The daemon is {answer['state']}.", as_json=as_json)


@app.command(
    epilog="Example: navstar confirm  (after 'navstar plan' has shown what would go)"
)
def confirm(
    socket: Socket = None, config: ConfigFile = None, *, as_json: AsJson = False
) -> None:
    """Release the brake: let a withdrawal of many agents at once go on."""
    answer = ask("confirm", socket, config)
    text = "Going on." if answer["confirmed"] else "Nothing is held back by the brake."
    say(answer, text, as_json=as_json)


@app.command(epilog="Example: navstar forget a7  (its machine is gone)")
def forget(
    agent: Annotated[str, typer.Argument(help="Its name, or its id.")],
    socket: Socket = None,
    config: ConfigFile = None,
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Also where this agent hears few others.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Take a dead agent out for good: withdraw its lines, so that its rows go.

    An agent that only fails keeps its rows, for its containers may live. One that
    comes back after all publishes its lines again. Who hears less than half of the
    agents cannot know that another is dead, and refuses.
    """
    answer = ask("forget", socket, config, agent=agent, force=force)
    text = f"{answer['withdrawn']} lines of {answer['agent']} withdrawn."
    say(answer, text, as_json=as_json)


@app.command(
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True}
)
def lab() -> None:
    """A cluster on this machine: agents as network namespaces, real daemons."""


def _remove_directly(socket: Path | None, config: Path | None) -> Reply:
    """Do without the daemon what it would do; not beneath one that still runs."""
    from lashup import StorageError, idle_directory
    from navstar.overlay_backend import Kernel
    from navstar.removal import remove_everything
    from navstar.status import removed_json

    try:
        with idle_directory(data_directory(config)), Kernel() as kernel:
            return removed_json(remove_everything(kernel))
    except StorageError as error:
        raise ControlError(
            f"{error}, but nobody answers at {control_socket(socket, config)}; "
            "name its socket with --socket or its file with --config, or end it first"
        ) from error


def main() -> None:
    """Run a command; a user's mistake is a message and never a traceback."""
    try:
        app()
    except NavstarError as error:
        fail(str(error))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except OSError as error:
        fail(f"{error.filename + ': ' if error.filename else ''}{error.strerror}")
    except Exception as error:
        from lashup import LashupError

        if not isinstance(error, LashupError):
            raise
        fail(str(error))
