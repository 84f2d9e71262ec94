"""What a lab leaves on disk about itself, so that any other process can end it.

    /run/navstar-lab/nslab/    one directory per prefix; it is the lock as well
        lab.json               size, owner, and namespaces, before they are made
        key                    this lab's lashup key
        processes/a1.json      pid, start time, boot
        a1/                    config.toml, allocation.toml, navstar.sock,
                               navstar.log, data

`/run` is empty after a boot, as the namespaces are. An ordinary user's labs lie in
the temporary directory instead.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from navstar.lab.errors import LabError, NoSuchLab, StaleLab
from navstar.lab.processes import Process, identify
from navstar.lab.topology import Topology

#: Names another directory. Handed on into a user namespace, where everybody is root.
DIRECTORY_VARIABLE = "NAVSTAR_LAB_DIRECTORY"

_TRIES = 16


def base_directory() -> Path:
    """Where this user's labs are recorded."""
    if named := os.environ.get(DIRECTORY_VARIABLE):
        return Path(named)
    if os.geteuid() == 0:
        return Path("/run/navstar-lab")
    return Path(tempfile.gettempdir(), f"navstar-lab-{os.geteuid()}")


@dataclass(frozen=True, slots=True)
class Record:
    """The directory of one lab.

    Attributes:
        path: The directory.
        topology: What was asked for.
        owner: The process that works in the lab, and cleans up after itself.
    """

    path: Path
    topology: Topology
    owner: Process | None

    @property
    def namespaces(self) -> tuple[str, ...]:
        """Every namespace that the lab has made, or was about to make."""
        return tuple(_read(self.path / "lab.json")["namespaces"])

    @property
    def processes(self) -> dict[str, Process]:
        """Those started by the lab, by name. They may have ended since."""
        found: dict[str, Process] = {}
        for path in sorted((self.path / "processes").glob("*.json")):
            found[path.stem] = Process(**_read(path))
        return found

    def expect(self, namespaces: Iterable[str]) -> None:
        """Note namespaces that are about to be made."""
        _write_lab(self, (*self.namespaces, *namespaces))

    def forget(self, namespaces: Iterable[str]) -> None:
        """Note that namespaces are gone."""
        gone = set(namespaces)
        _write_lab(self, tuple(each for each in self.namespaces if each not in gone))

    def started(self, name: str, pid: int) -> Process:
        """Note a process that was just started.

        Raises:
            LabError: It has ended already.
        """
        process = identify(pid)
        if process is None:
            raise LabError(f"the process of {name} ended as it started")
        _write(self.path / "processes" / f"{name}.json", asdict(process))
        return process

    def ended(self, name: str) -> None:
        """Note that a process is gone."""
        (self.path / "processes" / f"{name}.json").unlink(missing_ok=True)

    def erase(self) -> None:
        """Delete the directory. The prefix is free again."""
        shutil.rmtree(self.path, ignore_errors=True)
        with suppress(OSError):  # another lab is in there
            self.path.parent.rmdir()


def open_record(topology: Topology) -> Record:
    """Take the prefix for a new lab, owned by this process.

    Raises:
        StaleLab: A lab with this prefix is there, or was not cleaned up.
    """
    record = Record(base_directory() / topology.prefix, topology, identify(os.getpid()))
    try:
        _make_directory(record.path)
    except FileExistsError:
        raise StaleLab(*_about(topology.prefix)) from None
    (record.path / "processes").mkdir()
    _write_lab(record, ())
    return record


def _make_directory(path: Path) -> None:
    """Make a lab's directory.

    Raises:
        FileExistsError: It is there.
        LabError: Somebody else's directory is in the way.
    """
    base = path.parent
    for _ in range(_TRIES):
        base.mkdir(mode=0o700, parents=True, exist_ok=True)
        if base.lstat().st_uid != os.geteuid():
            problem = f"{base} belongs to another user"
            raise LabError(problem, f"remove it: rm -r {base}")
        # Another lab that ends may just have taken the base away with itself.
        with suppress(FileNotFoundError):
            path.mkdir(mode=0o700)
            return
    raise LabError(f"{path} cannot be made: {base} goes away again and again")


def disown(record: Record) -> Record:
    """Note that the lab stays when this process ends, for `lab down` to end it."""
    left = Record(record.path, record.topology, None)
    _write_lab(left, record.namespaces)
    return left


def find_record(prefix: str) -> Record:
    """The record of the lab with this prefix.

    Raises:
        NoSuchLab: There is none.
    """
    path = base_directory() / prefix
    if not path.is_dir():
        way_out = f"bring one up: navstar lab up --prefix {prefix}"
        raise NoSuchLab(f"no lab {prefix} is up", way_out)
    try:
        content = _read(path / "lab.json")
    except FileNotFoundError:
        # It ended between the directory and its first file: nothing else was made.
        return Record(path, Topology(prefix), None)
    owner = content["owner"]
    return Record(
        path,
        Topology(prefix, size=content["agents"], containers=content["containers"]),
        Process(**owner) if owner else None,
    )


def _about(prefix: str) -> tuple[str, str]:
    record = find_record(prefix)
    owner = record.owner
    if owner is None:
        state = "left up"
    elif owner.is_alive:
        state = f"in use by process {owner.pid}"
    else:
        state = f"left behind by process {owner.pid}, which has ended"
    return (
        f"a lab {prefix} of {record.topology.size} agents is there already, {state} "
        f"(see {record.path})",
        f"navstar lab down --prefix {prefix}   removes it; "
        "another --prefix stands beside it",
    )


def _write_lab(record: Record, namespaces: tuple[str, ...]) -> None:
    content = {
        "prefix": record.topology.prefix,
        "agents": record.topology.size,
        "containers": record.topology.containers,
        "owner": asdict(record.owner) if record.owner else None,
        "namespaces": namespaces,
    }
    _write(record.path / "lab.json", content)


def _write(path: Path, content: dict[str, Any]) -> None:
    """Replace a file whole, so that a reader never sees half of it."""
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(content, indent=2) + "\n")
    fresh.replace(path)


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content
