"""Directories that a node must not start on: refused in words that help, untouched."""

import os
import random
import re
import sqlite3
import subprocess
import tempfile
from pathlib import Path

import pytest

from lashup.errors import StorageError
from lashup.runtime.sqlite_file import SCHEMA_VERSION
from lashup.runtime.sqlite_storage import DATABASE, SqliteStorage
from tests.runtime.committer import batch
from tests.runtime.disks import (
    WAL,
    assert_refused,
    committer,
    fill,
    mounted,
    needs_mount,
    opened,
    snapshot,
)

#: A user with no rights at all.
NOBODY = 65_534

# --- who may have it ---------------------------------------------------------------


def test_a_second_process_is_refused_and_the_first_is_named(tmp_path):
    with committer(tmp_path) as first:
        with pytest.raises(StorageError, match=rf"process {first.pid}\b"):
            opened(tmp_path)
        assert int(first.stdout.readline()) == 1  # and it goes on

    opened(tmp_path).close()


def test_a_second_node_of_the_same_process_is_refused(tmp_path):
    with opened(tmp_path), pytest.raises(StorageError, match=str(os.getpid())):
        opened(tmp_path)

    opened(tmp_path).close()


def test_a_refused_start_leaves_the_directory_to_others(tmp_path):
    fill(tmp_path)
    with pytest.raises(StorageError):
        SqliteStorage(tmp_path, cluster="staging")

    opened(tmp_path).close()


def test_only_the_owner_may_read_the_files(tmp_path):
    directory = tmp_path / "parent" / "data"
    before = os.umask(0)
    try:
        fill(directory)
        with opened(directory) as storage:
            storage.commit(batch(21, 5))
            modes = {
                file.name: file.stat().st_mode & 0o777 for file in directory.iterdir()
            }
    finally:
        os.umask(before)

    assert directory.stat().st_mode & 0o777 == 0o700
    assert modes == {DATABASE: 0o600, WAL: 0o600, "lock": 0o600}


def test_another_program_that_has_the_database_open_is_said(tmp_path):
    fill(tmp_path)
    other = sqlite3.connect(tmp_path / DATABASE, isolation_level=None)
    try:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StorageError, match="Another program"):
            opened(tmp_path)
    finally:
        other.close()


# --- files that are not what they should be ----------------------------------------


def test_another_clusters_directory_is_refused(tmp_path):
    fill(tmp_path)

    with pytest.raises(StorageError, match=r"'prod'.*'staging'"):
        SqliteStorage(tmp_path, cluster="staging")


def test_a_newer_schema_is_refused(tmp_path):
    fill(tmp_path)
    with sqlite3.connect(tmp_path / DATABASE) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()

    assert_refused(tmp_path, f"version {SCHEMA_VERSION + 1}", "newer")


def test_an_older_schema_is_refused_and_left_as_it_was(tmp_path):
    fill(tmp_path)
    with sqlite3.connect(tmp_path / DATABASE) as connection:
        connection.execute("PRAGMA user_version = 0")
    connection.close()
    before = (tmp_path / DATABASE).read_bytes()

    assert_refused(tmp_path, "version 0", "dump the table")

    assert (tmp_path / DATABASE).read_bytes() == before


def test_another_programs_database_is_refused_and_left_as_it_was(tmp_path):
    connection = sqlite3.connect(tmp_path / DATABASE)
    connection.execute("CREATE TABLE bookmarks (url TEXT)")
    connection.close()

    assert_refused(tmp_path, "another program")


@pytest.mark.parametrize("content", [b"not a database, " * 300, b"x", bytes(8192)])
def test_what_is_no_database_is_refused(tmp_path, content):
    (tmp_path / DATABASE).write_bytes(content)

    assert_refused(tmp_path, DATABASE)


def test_an_empty_file_is_refused_and_no_fresh_start(tmp_path):
    (tmp_path / DATABASE).touch()

    assert_refused(tmp_path, "empty", "move it away")


def test_a_log_without_its_database_is_refused(tmp_path):
    with committer(tmp_path) as process:
        process.stdout.readline()
    (tmp_path / DATABASE).unlink()

    assert_refused(tmp_path, "log without its database")


@pytest.mark.parametrize("kept", [50, 100, 4096, 0.3, 0.6, 0.99])
def test_a_truncated_database_is_refused(tmp_path, kept):
    fill(tmp_path, batches=3, rows=2000)
    size = (tmp_path / DATABASE).stat().st_size
    os.truncate(tmp_path / DATABASE, kept if kept > 1 else int(size * kept))

    assert_refused(tmp_path, DATABASE, "move it away")


@pytest.mark.parametrize("length", [1, 64])
def test_damage_to_the_database_is_a_storage_error_or_changes_no_row(tmp_path, length):
    fill(tmp_path, batches=3, rows=300)
    with opened(tmp_path) as storage:
        rows = storage.load()
    whole = (tmp_path / DATABASE).read_bytes()
    rng = random.Random(3)
    refused = 0
    for _ in range(150):
        damaged = bytearray(whole)
        for at in range(first := rng.randrange(len(whole) - length), first + length):
            damaged[at] ^= rng.randrange(1, 256)
        (tmp_path / DATABASE).write_bytes(damaged)
        (tmp_path / WAL).unlink(missing_ok=True)
        try:
            with opened(tmp_path) as storage:
                assert storage.load() == rows
        except StorageError:
            refused += 1

    assert refused > 0


def test_a_page_that_has_lost_a_row_is_refused(tmp_path):
    """The rows that are left are sound, so nothing but a check of the tree sees it."""
    fill(tmp_path, batches=1, rows=300)
    damaged = bytearray((tmp_path / DATABASE).read_bytes())
    page_size = int.from_bytes(damaged[16:18], "big")
    leaf = next(  # https://www.sqlite.org/fileformat.html, 1.6: type, then cell count
        at
        for at in range(page_size, len(damaged), page_size)
        if damaged[at] == 0x0A and damaged[at + 4] > 5
    )
    damaged[leaf + 4] -= 1
    (tmp_path / DATABASE).write_bytes(damaged)

    assert_refused(tmp_path, "damaged", "move it away")


def test_a_directory_in_the_place_of_the_database_is_refused(tmp_path):
    (tmp_path / DATABASE).mkdir()

    with pytest.raises(StorageError, match=DATABASE):
        opened(tmp_path)


@pytest.mark.parametrize("name", ["file", "file/below"])
def test_a_file_in_the_place_of_the_directory_is_refused(tmp_path, name):
    (tmp_path / "file").touch()

    with pytest.raises(StorageError, match="file"):
        opened(tmp_path / name)


@needs_mount[0]
@needs_mount[1]
def test_a_read_only_file_system_is_refused(tmp_path):
    with mounted(tmp_path / "disk", "size=1m") as disk:
        fill(disk)
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True, timeout=30)

        assert_refused(disk, "Read-only")


@pytest.mark.parametrize("what", ["directory without database", "directory", "file"])
def test_what_this_user_may_not_write_is_refused_and_left_as_it_was(what):
    # Not below `tmp_path`: other users cannot get there.
    with tempfile.TemporaryDirectory(prefix="lashup-test-") as place:
        directory = Path(place, "data")
        if what == "directory without database":
            directory.mkdir()
        else:
            fill(directory)
        Path(place).chmod(0o711)
        for path in (directory, *directory.iterdir()):
            if os.geteuid() == 0:
                os.chown(path, NOBODY, NOBODY)
        locked = directory / DATABASE if what == "file" else directory
        locked.chmod(locked.stat().st_mode & ~0o222)
        before = snapshot(directory)

        said = _as_nobody(lambda: opened(directory))

        assert snapshot(directory) == before
        assert "StorageError" in said
        assert str(directory) in said
        assert re.search("writable for this user|that this user may write", said)
        locked.chmod(0o700)


def _as_nobody(work):
    """What a child without privileges raises. It has imported all that it needs."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            work()
        except BaseException as error:  # it goes to the parent
            os.write(writing, f"{type(error).__name__}: {error}".encode())
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, encoding="utf-8") as answer:
        said = answer.read()
    os.waitpid(child, 0)
    return said
