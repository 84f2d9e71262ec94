"""How the commands talk to the running daemon: one line of JSON each way.

    client -> {"command": "status"}
    daemon -> {"ok": true, "result": {...}}   or   {"ok": false, "error": "..."}

The socket is a unix socket of mode 0600: who may open it may do everything. One
request per connection, so that a client that stops half way holds up nobody.
"""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import Any, TypeAlias

from navstar.errors import ControlError, NotRunning

#: Bytes. Requests are a command and a few words.
MAX_REQUEST = 64 * 1024
#: Bytes. Routes of 10,000 agents are 10 MB; beyond this something is broken.
MAX_REPLY = 64 * 1024 * 1024
#: Seconds until a reply is given up. `down --leave` takes longest.
REPLY_TIMEOUT = 60.0

Reply: TypeAlias = dict[str, Any]


def request(socket_path: Path, command: str, **arguments: object) -> Reply:
    """Ask the daemon, and wait for its answer. Blocks.

    Args:
        socket_path: As in `[control] socket`.
        command: E.g. `status`.
        **arguments: Of the command; JSON values.

    Raises:
        NotRunning: Nobody listens there.
        ControlError: The daemon refused, the socket is not ours to open, or what
            answers is not navstar.
    """
    line = json.dumps({"command": command, **arguments}).encode() + b"\n"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(REPLY_TIMEOUT)
        _connect(connection, socket_path)
        try:
            connection.sendall(line)
            answer = _read_line(connection)
        except TimeoutError:
            raise ControlError(
                f"navstar at {socket_path} did not answer within {REPLY_TIMEOUT:.0f} s"
            ) from None
        except OSError as error:
            raise ControlError(f"navstar at {socket_path} hung up: {error}") from None
    return _result(answer, socket_path)


def is_running(socket_path: Path) -> bool:
    """Tell whether somebody accepts connections at the socket.

    Raises:
        ControlError: The socket may not be opened by this user.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(REPLY_TIMEOUT)
        try:
            _connect(connection, socket_path)
        except NotRunning:
            return False
    return True


def wait_until_running(socket_path: Path, *, timeout: float) -> None:
    """Wait for a daemon that was just started to open its socket. Blocks.

    Raises:
        NotRunning: It did not within `timeout` seconds.
    """
    give_up_at = time.monotonic() + timeout
    while not is_running(socket_path):
        if time.monotonic() > give_up_at:
            raise NotRunning(f"nobody opened {socket_path} within {timeout:.0f} s")
        time.sleep(0.02)


def _connect(connection: socket.socket, path: Path) -> None:
    try:
        connection.connect(str(path))
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
        raise NotRunning(
            f"no navstar is running at {path}; start one with "
            "'navstar run --config FILE', or name its socket with --socket"
        ) from None
    except PermissionError:
        raise ControlError(f"{path}: permission denied; are you root?") from None
    except OSError as error:
        raise ControlError(f"{path}: {error}") from None


def _read_line(connection: socket.socket) -> bytes:
    """Read up to the line's end, or what there is when the daemon hangs up."""
    chunks: list[bytes] = []
    size = 0
    while chunk := connection.recv(256 * 1024):
        chunks.append(chunk)
        size += len(chunk)
        if chunk.endswith(b"\n") or size > MAX_REPLY:
            break
    return b"".join(chunks)


def _result(answer: bytes, path: Path) -> Reply:
    try:
        if not answer.endswith(b"\n"):
            raise ValueError("the answer is cut off")
        match json.loads(answer):
            case {"ok": True, "result": dict(result)}:
                return result
            case {"ok": False, "error": str(error)}:
                raise ControlError(error)
            case _:
                raise ValueError("the answer is of another form")
    except ValueError as error:
        raise ControlError(f"{path} does not talk as navstar does: {error}") from None
