"""Look into a table that no node has open, carry it away and back.

python -m lashup show SOURCE                     keys and values, as lines of JSON
python -m lashup dump DIRECTORY FILE             a data directory into a dump
python -m lashup load DIRECTORY FILE             a dump into a data directory, joined
python -m lashup dump DIRECTORY FILE --dropped   what it dropped (event `Outdated`)

SOURCE is a data directory or a dump. A node that runs has its directory for itself:
stop it first, or use `node.kv.dump()` and `node.kv.load()` in its program.
"""

from __future__ import annotations

import argparse
import json
import math
import os
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
from lashup.runtime.directory_lock import idle_directory
from lashup.runtime.sqlite_file import cluster_of
from lashup.runtime.sqlite_storage import DATABASE, SqliteStorage

#: Days of memory of a node that has any; how many does not matter to a disk.
_ANY = 1

#: What else there is to do where a node has the directory.
_INSTEAD = "Stop that one, or use `node.kv.dump()` and `node.kv.load()` in its program"


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says; 0, or 1 with a message on the standard error."""
    asked = _parser().parse_args(arguments)
    try:
        match asked.command:
            case "show":
                _show(asked.source)
            case "dump":
                read = _dropped if asked.dropped else _table
                _dump(asked.directory, asked.file, read, as_json=asked.json)
            case _:
                _load(
                    asked.directory,
                    asked.file,
                    outdated=asked.outdated,
                    as_json=asked.json,
                )
        sys.stdout.flush()
    except BrokenPipeError:  # who reads has seen enough, as `head` does
        # Python flushes once more at its end, and would complain then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except LashupError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        sys.stderr.write(f"{where}{error.strerror or error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lashup", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    commands = parser.add_subparsers(dest="command", required=True)
    show = _command(commands, "show", "print keys and values", "show /var/lib/shop")
    show.add_argument("source", type=Path, help="a data directory or a dump")
    dump = _command(
        commands, "dump", "write a dump", "dump /var/lib/shop shop-monday.dump"
    )
    dump.add_argument("directory", type=Path, help="a data directory of a node")
    dump.add_argument("file", type=Path, help="where the dump goes; a new file")
    dump.add_argument(
        "--dropped",
        action="store_true",
        help="not the table, but what it dropped as it had been off for too long",
    )
    load = _command(
        commands, "load", "join a dump", "load /var/lib/shop shop-monday.dump"
    )
    load.add_argument(
        "directory", type=Path, help="a data directory; made if there is none"
    )
    load.add_argument("file", type=Path, help="what `dump` or `node.kv.dump()` gave")
    load.add_argument(
        "--outdated",
        action="store_true",
        help="also a dump that is older than removals are remembered there",
    )
    for command in (dump, load):
        command.add_argument("--json", action="store_true", help="answer in JSON")
    return parser


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    said: str,
    example: str,
) -> argparse.ArgumentParser:
    return commands.add_parser(
        name,
        help=said,
        description=said,
        epilog=f"example:\n  python -m lashup {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


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
    directory: Path,
    file: Path,
    read: Callable[[Path], tuple[FactSet, Absence]],
    *,
    as_json: bool,
) -> None:
    facts, absence = read(directory)
    cluster = _cluster(directory)
    with facts.cut() as state:
        state.take_all()
    dump = encode_dump(state, cluster=cluster, wall=time.time(), as_of=absence.as_of)
    _write_new(file, dump)
    answer = {"file": str(file), "facts": len(facts), "bytes": len(dump)}
    text = f"{file}: {len(facts)} facts, {len(dump)} bytes"
    sys.stdout.write((json.dumps(answer) if as_json else text) + "\n")


def _write_new(file: Path, dump: bytes) -> None:
    try:
        opened = file.open("xb")  # never over a backup that is there
    except FileExistsError:
        raise UsageError(f"{file}: exists; a dump goes into a new file") from None
    try:
        with opened:
            opened.write(dump)
            opened.flush()
            os.fsync(opened.fileno())
    except BaseException:
        file.unlink()  # half a backup is none
        raise


def _load(directory: Path, file: Path, *, outdated: bool, as_json: bool) -> None:
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
    facts = len(store.facts)
    answer = {"directory": str(directory), "gained": gained, "facts": facts}
    text = f"{directory}: {gained:+} facts, now {facts}"
    sys.stdout.write((json.dumps(answer) if as_json else text) + "\n")


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
    if not (directory / DATABASE).exists():
        raise UsageError(f"{directory}: no data directory of lashup")
    with SqliteStorage(directory, cluster=_cluster(directory)) as storage:
        return storage.load()


def _cluster(directory: Path) -> str:
    try:
        with idle_directory(directory):
            return cluster_of(directory / DATABASE)
    except StorageError as error:
        if isinstance(error.__context__, BlockingIOError):
            raise StorageError(f"{error}. {_INSTEAD}") from error
        raise


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
        raise UsageError(f"{file}: no dump of lashup ({error})") from error


def _printable(value: object) -> object:
    """A value with nothing that JSON lacks: bytes as hex, names and nan as text."""
    match value:
        case bytes():
            return value.hex()
        case float() if not math.isfinite(value):
            return str(value)
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
