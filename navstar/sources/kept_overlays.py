"""What the agent module listed when its overlays were last in order, on disk.

A master that fails over clears the status of overlays that go on carrying traffic,
and a daemon may be started anew just then. This file is what such a daemon knows of
the time before. It is written as a whole and in one step, and has a checksum: a
wrong block out of a damaged file would be told to everybody.
"""

from __future__ import annotations

import json
import os
import zlib
from pathlib import Path

from navstar.errors import Problem, Unusable

NAME = "agent-overlays.json"

#: Bytes. An answer of the endpoint, which is bounded, grows in rewriting: by escapes.
MAX_FILE = 64 * 1024 * 1024


def load_items(path: Path) -> list[object]:
    """Read the items that were saved last; none if there is no file. Blocks.

    Raises:
        Unusable: The file is damaged, or cannot be read.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE + 1)
        return _items(content)
    except FileNotFoundError:
        return []
    except OSError as error:
        problem = f"cannot be read, and is ignored: {error.strerror}"
    except (ValueError, RecursionError) as error:
        problem = f"is damaged, and is ignored: {error}"
    raise Unusable(str(path), [Problem("", problem)])


def save_items(path: Path, items: list[object]) -> None:
    """Put the items in place of those that were saved before. Blocks.

    They are on disk when this returns. The directory must be there.

    Raises:
        Unusable: They are not; what was there before is as it was.
    """
    try:
        document = {"crc32": _checksum(items), "overlays": items}
        _replace(path, json.dumps(document).encode())
    except OSError as error:
        problem = f"cannot be written: {error.strerror}"
    except (ValueError, RecursionError) as error:
        problem = f"cannot be written: {error}"
    else:
        return
    consequence = "after a restart, overlays that are not STATUS_OK would not be known"
    raise Unusable(str(path), [Problem("", f"{problem}; {consequence}")])


def _items(content: bytes) -> list[object]:
    if len(content) > MAX_FILE:
        raise ValueError(f"it is larger than {MAX_FILE} bytes")
    match json.loads(content):
        case {"crc32": int(checksum), "overlays": list(items)}:
            if checksum != _checksum(items):
                raise ValueError("the checksum is another")
            return items
        case _:
            raise ValueError("it is of another form")


def _checksum(items: list[object]) -> int:
    return zlib.crc32(json.dumps(items, sort_keys=True).encode())


def _replace(path: Path, content: bytes) -> None:
    """Write a file that is there wholly or not at all, also after a loss of power."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with os.fdopen(os.open(new, flags, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
