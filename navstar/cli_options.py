"""What the commands have in common: options, exit codes, output for scripts."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from navstar.config import Config
    from navstar.control import Reply

#: Exit codes; 2 is the command line's own, for a usage that it does not know.
OK, FAILED = 0, 1
INTERRUPTED = 130

ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        envvar="NAVSTAR_CONFIG",
        help="The daemon's TOML file; default /etc/navstar/navstar.toml.",
    ),
]


def _named(path: Path | None) -> Path | None:
    """Refuse an empty path, which pathlib takes for the current directory."""
    if path == Path():
        raise typer.BadParameter("should be the path of a socket")
    return path


Socket = Annotated[
    Path | None,
    typer.Option(
        "--socket",
        callback=_named,
        envvar="NAVSTAR_SOCKET",
        help="The daemon's control socket; default: the one that the file names.",
    ),
]
AsJson = Annotated[
    bool,
    typer.Option(
        "--json", help='One JSON object on stdout; on failure {"error": "..."}.'
    ),
]
LogAsJson = Annotated[
    bool,
    typer.Option(
        "--json", help="Log lines on stderr are JSON, whatever [log] format says."
    ),
]


def config_path(config: Path | None) -> Path:
    """The file that was named, or the usual one."""
    return config if config is not None else Path("/etc/navstar/navstar.toml")


def say(answer: Reply, text: str, *, as_json: bool) -> None:
    """Print the answer, as JSON or in words."""
    if as_json:
        print_json(answer)
    else:
        typer.echo(text)


def fail(message: str, *, program: str = "navstar", code: int = FAILED) -> NoReturn:
    """End the process: the text on stderr, with --json an object on stdout too."""
    # Errors are caught where the options of the command are not known any more.
    if "--json" in sys.argv[1:]:
        print_json({"error": message})
    typer.echo(f"{program}: {message}", err=True)
    sys.exit(code)


def print_json(answer: Reply) -> None:
    """Print one JSON object."""
    typer.echo(json.dumps(answer, indent=2))


def load(config: Path | None) -> Config:
    """Read the configuration that was named, or the usual one.

    Raises:
        Unusable: It has problems.
    """
    from navstar.config import load_config

    return load_config(config_path(config))


def control_socket(socket: Path | None, config: Path | None) -> Path:
    """The socket that was named, or that of the file that was named, or the usual."""
    if socket is not None:
        return socket
    if config is not None or config_path(None).exists():
        return load(config).control.socket
    from navstar.config import DEFAULT_SOCKET

    return DEFAULT_SOCKET


def data_directory(config: Path | None) -> Path:
    """That of the file that was named, or of the usual file, or the usual one."""
    if config is not None or config_path(None).exists():
        return load(config).node.data_dir
    from navstar.config import DEFAULT_DATA_DIR

    return DEFAULT_DATA_DIR


def ask(
    command: str, socket: Path | None, config: Path | None, **arguments: object
) -> Reply:
    """Ask the running daemon.

    Raises:
        ControlError: Nobody is there, or the daemon refuses.
    """
    from navstar.control import request

    return request(control_socket(socket, config), command, **arguments)


def show(answer: Reply, shower: str, *, as_json: bool) -> None:
    """Print the answer, as JSON or by one of the functions of `render`."""
    if as_json:
        print_json(answer)
        return
    from navstar import render

    render_it: Callable[[Reply], None] = getattr(render, shower)
    render_it(answer)
