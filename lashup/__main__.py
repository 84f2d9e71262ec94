"""Look into a table that no node has open, carry it away and back.

python -m lashup show SOURCE           keys and values, as lines of JSON
python -m lashup dump DIRECTORY FILE          a data directory into a dump
python -m lashup load DIRECTORY FILE          a dump into a data directory, joined
python -m lashup dump DIRECTORY FILE --dropped   what it dropped (event `Outdated`)

SOURCE is a data directory or a dump. A node that runs has its directory for itself:
stop it first, or use `node.kv.dump()` and `node.kv.load()` in its program.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from lashup.crdt.facts import FactSet
from lashup.crdt.field import unpack_key_untrusted
from lashup.crdt.map import MapView
from lashup.errors import LashupError, MalformedDatagram, StorageError, UsageError
from lashup.kv.absence import Absence
from lashup.kv.dropped import dropped_untrusted
from lashup.kv.dump import Dump, decode_dump_untrusted, encode_dump
from lashup.kv.rows import META_TABLE, Rows, state_untrusted
from lashup.kv.store import Store
from lashup.machine import Persist
from lashup.runtime.sqlite_file import cluster_of
from lashup.runtime.sqlite_storage import DATABASE, SqliteStorage

#: Days of memory of a node that has any; how many does not matter to a disk.
_ANY = 1


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says; 0, or 1 with a message on the standard error."""
    parser = argparse.ArgumentParser(prog="python -m lashup", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    commands = parser.add_subparsers(dest="command", required=True)
    show = commands.add_parser("show", help="print keys and values")
    show.add_argument("source", type=Path, help="a data directory or a dump")
    for name, said in (("dump", "write a dump"), ("load", "join a dump")):
        command = commands.add_parser(name, help=said)
        command.add_argument("directory", type=Path)
        command.add_argument("file", type=Path)
    commands.choices["dump"].add_argument(
        "--dropped",
        action="store_true",
        help="not the table, but what it dropped as it had been off for too long",
    )
    commands.choices["load"].add_argument(
        "--outdated",
        action="store_true",
        help="also a dump that is older than removals are remembered there",
    )
    asked = parser.parse_args(arguments)
    try:
        match asked.command:
            case "show":
                _show(asked.source)
            case "dump":
                read = _dropped if asked.dropped else _table
                _dump(asked.directory, asked.file, read)
            case _:
                _load(asked.directory, asked.file, outdated=asked.outdated)
    except (LashupError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _show(source: Path) -> None:
    facts = FactSet()
    if source.is_dir():
        facts, _ = _table(source)
    else:
        for delta in _read(source).deltas:
            facts.join(delta)
    for key in sorted(facts.keys()):
        value = MapView(facts.branch(key)).plain()
        line = {"key": _printable(unpack_key_untrusted(key)), "value": value}
        sys.stdout.write(json.dumps(_printable(line), ensure_ascii=False) + "\n")


def _dump(
    directory: Path, file: Path, read: Callable[[Path], tuple[FactSet, Absence]]
) -> None:
    facts, absence = read(directory)
    cluster = cluster_of(directory / DATABASE)
    with facts.cut() as state:
        state.take_all()
    dump = encode_dump(state, cluster=cluster, wall=time.time(), as_of=absence.as_of)
    with file.open("xb") as opened:  # never over a backup that is there
        opened.write(dump)
    sys.stdout.write(f"{file}: {len(facts)} facts, {len(dump)} bytes\n")


def _load(directory: Path, file: Path, *, outdated: bool) -> None:
    dump = _read(file)
    with SqliteStorage(directory, cluster=dump.cluster) as storage:
        store = Store(hash_key=b"", rng=random.SystemRandom())
        tables = storage.load()
        store.load(tables, wall=time.time())
        absence = _absence(tables, store.facts)
        if not outdated and absence.is_behind(dump.as_of):
            raise UsageError(
                f"{file}: older than removals are remembered in {directory}; what was "
                "removed since may come back with it. Load it with --outdated if that "
                "is what you want"
            )
        was_empty = not len(store.facts.context)
        before = len(store.facts)
        rows = [store.merge(delta, wall=time.time()).rows for delta in dump.deltas]
        # What is loaded is as old as its dump, and a table as its oldest part.
        day = absence.as_of if outdated else min(absence.as_of, dump.as_of)
        if was_empty or day < absence.as_of:
            rows.append(Rows(absence.puts_as_of(day)))
        # One transaction: all of it, or nothing.
        storage.commit([Persist(1, one.puts, one.deletes) for one in rows])
    gained = len(store.facts) - before
    sys.stdout.write(f"{directory}: {gained:+} facts, now {len(store.facts)}\n")


def _table(directory: Path) -> tuple[FactSet, Absence]:
    tables = _tables(directory)
    facts = FactSet()
    with _damage(directory):
        facts.join(state_untrusted(tables))
        return facts, _absence(tables, facts)


def _dropped(directory: Path) -> tuple[FactSet, Absence]:
    _, absence = _table(directory)
    facts = FactSet()
    with _damage(directory):
        facts.join(dropped_untrusted(_tables(directory)[META_TABLE]))
    return facts, absence


def _tables(directory: Path) -> Mapping[str, Mapping[bytes, bytes]]:
    file = directory / DATABASE
    if not file.exists():
        raise UsageError(f"{directory}: no data directory of lashup")
    with SqliteStorage(directory, cluster=cluster_of(file)) as storage:
        return storage.load()


@contextmanager
def _damage(directory: Path) -> Iterator[None]:
    try:
        yield
    except MalformedDatagram as error:
        raise StorageError(f"{directory / DATABASE}: {error}") from error


def _absence(tables: Mapping[str, Mapping[bytes, bytes]], facts: FactSet) -> Absence:
    """Since when a disk is off, whatever its node is told to forget."""
    absence = Absence(after=_ANY)
    absence.load(tables[META_TABLE], facts, wall=time.time())
    return absence


def _read(file: Path) -> Dump:
    try:
        return decode_dump_untrusted(file.read_bytes())
    except MalformedDatagram as error:
        raise UsageError(f"{file}: {error}") from error


def _printable(value: object) -> object:
    """A value with nothing in it that JSON lacks: bytes as hex, names as text."""
    match value:
        case bytes():
            return value.hex()
        case dict():
            return {_name(name): _printable(one) for name, one in value.items()}
        case list() | tuple():
            return [_printable(one) for one in value]
        case _:
            return value


def _name(name: object) -> str:
    if isinstance(name, str):
        return name
    return name.hex() if isinstance(name, bytes) else repr(name)


if __name__ == "__main__":
    sys.exit(main())
