"""The commands that look closely: what differs, which way a packet goes, the host."""

from __future__ import annotations

from typing import Annotated

import typer

from navstar.cli_options import FAILED, AsJson, ConfigFile, Socket, ask, show

Address = Annotated[
    str,
    typer.Argument(help="Of a container, a VTEP or an agent; IPv4 or IPv6."),
]


def diff(
    socket: Socket = None, config: ConfigFile = None, *, as_json: AsJson = False
) -> None:
    """List the rows that are missing, different or surplus, and who published them.

    Exit code 1 if there is any.
    """
    answer = ask("diff", socket, config)
    show(answer, "show_diff", as_json=as_json)
    if answer["rows"]:
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
