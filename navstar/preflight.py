"""What of the host a configuration asks for, looked at before anything is started.

`navstar run` and `navstar config check` go by the same: a problem ends both, a
warning neither.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

from navstar.config import AgentHttpSource, Config, FileSource
from navstar.errors import Problem

#: Bytes of a unix socket's path, at most (`sun_path` without its final zero).
LONGEST_SOCKET_PATH = 107

#: Who is not the owner of a key file has no business with it.
_READABLE_BY_OTHERS = stat.S_IRGRP | stat.S_IROTH


def host_problems(config: Config) -> Iterator[Problem]:
    """Why the daemon cannot run on this host as it is."""
    yield from _socket_problems(config.control.socket)
    data_dir = config.node.data_dir
    if data_dir.exists() and not data_dir.is_dir():
        yield Problem("node.data_dir", f"{data_dir} is not a directory")


def host_warnings(config: Config) -> Iterator[Problem]:
    """What works, and should be otherwise."""
    for number, path in enumerate(config.lashup.key_files):
        mode = _mode(path)
        if mode is not None and mode & _READABLE_BY_OTHERS:
            yield Problem(
                f"lashup.key_files[{number}]",
                f"{path} can be read by others than its owner, and who has the key may "
                f"write routes; chmod 600 {path}",
            )
    for field, named in _paths(config):
        if not named.is_absolute():
            yield Problem(
                field,
                f"{named} is relative: it counts from the directory in which navstar "
                f"is started, now {Path.cwd()}",
            )


def lacks_address(config: Config) -> bool:
    """Whether nothing in the configuration can tell this agent's underlay address."""
    named = (*config.lashup.advertise, *config.lashup.bind, *config.lashup.seeds)
    return config.overlay.agent_ip is None and all(
        ip_address(host).is_loopback or ip_address(host).is_unspecified
        for host, _ in named
    )


def _socket_problems(path: Path) -> Iterator[Problem]:
    size = len(os.fsencode(path))
    if size > LONGEST_SOCKET_PATH:
        problem = (
            f"{path} has {size} bytes, and the path of a socket at most "
            f"{LONGEST_SOCKET_PATH}; name a shorter one"
        )
        yield Problem("control.socket", problem)
        return
    mode = _mode(path)
    if mode is not None and not stat.S_ISSOCK(mode):
        what = "a directory" if stat.S_ISDIR(mode) else "there"
        problem = f"{path} is {what} and not a socket; name another one"
        yield Problem("control.socket", problem)
    elif next(parent for parent in path.parents if parent.exists()).is_file():
        problem = f"{path} is below a file, not a directory"
        yield Problem("control.socket", problem)


def _mode(path: Path) -> int | None:
    """None if it is not there, or may not be asked for."""
    try:
        return path.lstat().st_mode if not path.is_symlink() else path.stat().st_mode
    except OSError:
        return None


def _paths(config: Config) -> Iterator[tuple[str, Path]]:
    """Every path of the file, by its field."""
    yield "node.data_dir", config.node.data_dir
    for number, path in enumerate(config.lashup.key_files):
        yield f"lashup.key_files[{number}]", path
    yield "control.socket", config.control.socket
    match config.source:
        case FileSource(path=path):
            yield "source.path", path
        case AgentHttpSource(token_file=token_file, tls=tls):
            named = {"source.token_file": token_file}
            if tls is not None:
                named["source.tls.ca"] = tls.ca
                named["source.tls.cert"] = tls.cert
                named["source.tls.key"] = tls.key
            yield from ((field, one) for field, one in named.items() if one)
