"""The daemon's end of the control socket.

Every client is bounded: in the size of its request, in the time to send it and to
take the answer, and in how many there are. A bad request gets an error and ends
that connection; it never reaches the daemon.
"""

from __future__ import annotations

import json
import os
import socket
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import trio

from navstar.control import MAX_REQUEST, Reply, is_running
from navstar.errors import ControlError, NavstarError

#: Seconds a client has to send its request, and again to take the answer.
CLIENT_TIMEOUT = 10.0
#: Clients served at a time; further ones wait.
MAX_CLIENTS = 16


class Handler(Protocol):
    """Carries commands out."""

    async def answer(self, command: str, arguments: Mapping[str, object]) -> Reply:
        """Do it, and say what came of it.

        Raises:
            NavstarError: Told to the client.
        """
        ...

    def after_reply(self, reply: Reply) -> None:
        """The client that asked has this reply of `answer`'s, or has gone."""
        ...


async def serve_control(
    path: Path,
    handler: Handler,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve requests until cancelled; then the socket file is gone.

    Args:
        path: Of the socket. A stale file is replaced.
        handler: Carries a command out. Its `NavstarError`s are told to the client.
        task_status: Started once clients can connect.

    Raises:
        ControlError: Somebody serves there already, or it cannot be bound.
    """
    listener, inode = _listen(path)
    limiter = trio.CapacityLimiter(MAX_CLIENTS)

    async def serve(client: trio.SocketStream) -> None:
        async with client, limiter:
            try:
                await _serve_client(client, handler)
            except trio.BrokenResourceError:
                return  # It hung up; its loss.

    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(trio.serve_listeners, serve, [listener])
            task_status.started()
    finally:
        _remove(path, inode)


async def _serve_client(client: trio.SocketStream, handler: Handler) -> None:
    try:
        command, arguments = _parse(await _read_request(client))
        result = await handler.answer(command, arguments)
    except NavstarError as error:
        await _send(client, {"ok": False, "error": str(error)})
        return
    try:
        await _send(client, {"ok": True, "result": result})
    finally:
        handler.after_reply(result)


async def _send(client: trio.SocketStream, answer: Reply) -> None:
    with trio.move_on_after(CLIENT_TIMEOUT):
        await client.send_all(json.dumps(answer).encode() + b"\n")


async def _read_request(client: trio.SocketStream) -> bytes:
    """Read one line.

    Raises:
        ControlError: It is too long, too slow, or ends half way.
    """
    request = bytearray()
    with trio.move_on_after(CLIENT_TIMEOUT):
        while chunk := await client.receive_some(MAX_REQUEST):
            request += chunk
            line, end, _ = request.partition(b"\n")
            if end:
                return bytes(line)
            if len(request) > MAX_REQUEST:
                raise ControlError(f"a request has at most {MAX_REQUEST} bytes")
        raise ControlError("the request does not end in a newline")
    raise ControlError(f"the request did not come within {CLIENT_TIMEOUT:.0f} s")


def _parse(line: bytes) -> tuple[str, Mapping[str, object]]:
    try:
        request = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ControlError(f"the request is not JSON: {error}") from None
    if not isinstance(request, dict) or not isinstance(request.get("command"), str):
        raise ControlError('a request is like {"command": "status"}')
    return request.pop("command"), request


def _listen(path: Path) -> tuple[trio.SocketListener, int]:
    """Bind the socket, and return it with the inode of its file."""
    _clear(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # The mask is the process', but at this point of the start there is one thread.
    # A chmod after the bind would leave a moment in which anybody can connect.
    # Not for the directory: without x nobody but root could pass it.
    mask: int | None = None
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        mask = os.umask(0o177)
        sock.bind(str(path))
        sock.listen(MAX_CLIENTS)
    except OSError as error:
        sock.close()
        raise ControlError(f"{path}: {error.strerror or error}") from None
    finally:
        if mask is not None:
            os.umask(mask)
    listener = trio.SocketListener(trio.socket.from_stdlib_socket(sock))
    return listener, os.stat(path).st_ino


def refuse_if_served(path: Path) -> None:
    """Make sure that nobody serves there.

    Raises:
        ControlError: Somebody does, or it cannot be known.
    """
    if is_running(path):
        raise ControlError(
            f"a navstar is running already and serves {path}; "
            "stop it, or give this one its own control.socket and node.data_dir"
        )


def _clear(path: Path) -> None:
    """Take a socket file away that nobody listens at any more.

    Raises:
        ControlError: Somebody does, or it is no socket.
    """
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return
    if not stat.S_ISSOCK(mode):
        raise ControlError(f"{path} exists and is not a socket; name another one")
    refuse_if_served(path)
    path.unlink(missing_ok=True)


def _remove(path: Path, inode: int) -> None:
    """Take our own socket file away, and not one that replaced it."""
    try:
        if os.lstat(path).st_ino == inode:
            path.unlink()
    except OSError:
        return  # Gone already, with its directory perhaps.
