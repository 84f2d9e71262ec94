"""Real files, processes and disks that fail: what was acknowledged is there."""

import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lashup.errors import StorageError
from lashup.machine import Persist
from lashup.runtime.sqlite_file import SCHEMA_VERSION
from lashup.runtime.sqlite_storage import DATABASE, SqliteStorage
from tests.runtime.committer import batch

ROOT = Path(__file__).parents[2]
WAL = DATABASE + "-wal"

needs_mount = [
    pytest.mark.kernel,
    pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small file system"),
]


def opened(directory):
    return SqliteStorage(directory, cluster="prod")


def fill(directory, batches=20, rows=5):
    """A closed database after that many batches."""
    with opened(directory) as storage:
        for number in range(1, batches + 1):
            storage.commit(batch(number, rows))


def assert_exactly_after(rows, number, per_batch):
    """The rows are those of a history that ends with batch `number`, all of it."""
    head = number.to_bytes(8, "big")
    assert rows["meta"] == ({b"number": head} if number else {})
    expected = {
        head + key.to_bytes(4, "big") for key in range(per_batch if number else 0)
    }
    assert set(rows["fact"]) == expected


def snapshot(directory):
    return {
        file.name: file.read_bytes()
        for file in directory.iterdir()
        if file.name != "lock"
    }


def assert_refused(directory, *says):
    """It is refused in these words, with the file's name, and left as it was."""
    before = snapshot(directory)
    with pytest.raises(StorageError) as caught:
        opened(directory)
    assert str(directory) in str(caught.value)
    for word in says:
        assert word in str(caught.value)
    assert snapshot(directory) == before


@contextmanager
def committer(directory, first=1, rows=5):
    """A process that commits from batch `first` on; killed at the end."""
    process: Any = subprocess.Popen(
        [sys.executable, "-m", "tests.runtime.committer",
         str(directory), str(first), str(rows)],
        stdout=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    try:
        assert process.stdout.readline() == "open\n"
        yield process
    finally:
        process.kill()
        process.wait(timeout=30)
        process.stdout.close()


# --- crashes -----------------------------------------------------------------------


@pytest.mark.parametrize("rows", [1, 300])
def test_after_kill_9_everything_acknowledged_is_there_and_no_half_batch(
    tmp_path, rows
):
    rng = random.Random(rows)
    last = 0
    for _ in range(4):
        with committer(tmp_path, last + 1, rows) as process:
            for _ in range(rng.randrange(1, 40)):
                acknowledged = int(process.stdout.readline())
            process.send_signal(signal.SIGKILL)
            process.wait(timeout=30)
            told = process.stdout.read().split("\n")[:-1]  # complete lines only
            acknowledged = int(told[-1]) if told else acknowledged

        with opened(tmp_path) as storage:
            found = storage.load()
        last = int.from_bytes(found["meta"][b"number"], "big")
        assert last - acknowledged in {0, 1}  # one may be durable but not yet told
        assert_exactly_after(found, last, rows)


def test_a_log_torn_anywhere_leaves_a_history_without_holes(tmp_path):
    source, copy = tmp_path / "source", tmp_path / "copy"
    with opened(source) as storage:
        for number in range(1, 21):
            storage.commit(batch(number, 5))
        files = {name: (source / name).read_bytes() for name in (DATABASE, WAL)}
    rng = random.Random(1)
    lengths = [0, len(files[WAL]), *(rng.randrange(len(files[WAL])) for _ in range(40))]
    ends = []
    for length in sorted(lengths):
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir()
        (copy / DATABASE).write_bytes(files[DATABASE])
        (copy / WAL).write_bytes(files[WAL][:length])
        with opened(copy) as storage:
            found = storage.load()
        ends.append(int.from_bytes(found["meta"].get(b"number", b""), "big"))
        assert_exactly_after(found, ends[-1], 5)

    assert ends == sorted(ends)
    assert (ends[0], ends[-1]) == (0, 20)
    assert len(set(ends)) > 10


def test_a_log_with_a_damaged_byte_leaves_a_history_without_holes(tmp_path):
    source, copy = tmp_path / "source", tmp_path / "copy"
    with opened(source) as storage:
        for number in range(1, 11):
            storage.commit(batch(number, 5))
        files = {name: (source / name).read_bytes() for name in (DATABASE, WAL)}
    rng = random.Random(2)
    for _ in range(40):
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir()
        damaged = bytearray(files[WAL])
        damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
        (copy / DATABASE).write_bytes(files[DATABASE])
        (copy / WAL).write_bytes(damaged)
        with opened(copy) as storage:
            found = storage.load()
        number = int.from_bytes(found["meta"].get(b"number", b""), "big")
        assert_exactly_after(found, number, 5)


def test_a_crash_while_the_database_was_made_is_no_obstacle(tmp_path):
    for left_over in (".new", ".new-wal", ".new-journal"):
        (tmp_path / (DATABASE + left_over)).write_bytes(b"half of something")

    with opened(tmp_path) as storage:
        assert not any(storage.load().values())
    assert sorted(os.listdir(tmp_path)) == [DATABASE, "lock"]


def test_the_disk_is_asked_for_what_outlives_a_loss_of_power(tmp_path):
    with opened(tmp_path) as storage:
        connection = storage._connection
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


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


# --- while it runs -------------------------------------------------------------


def test_a_database_that_was_removed_takes_no_more_writes(tmp_path):
    with opened(tmp_path) as storage:
        (tmp_path / DATABASE).unlink()

        with pytest.raises(StorageError, match="No such file"):
            storage.commit(batch(1, 1))


def test_a_database_that_was_replaced_takes_no_more_writes(tmp_path):
    with opened(tmp_path) as storage:
        shutil.copy(tmp_path / DATABASE, tmp_path / "copy")
        (tmp_path / "copy").rename(tmp_path / DATABASE)

        with pytest.raises(StorageError, match="replaced"):
            storage.commit(batch(1, 1))


def test_after_close_nothing_is_acknowledged(tmp_path):
    storage = opened(tmp_path)
    storage.close()

    with pytest.raises(StorageError, match="closed"):
        storage.commit(batch(1, 1))
    with pytest.raises(StorageError, match="closed"):
        storage.load()


def test_a_batch_that_breaks_half_way_leaves_nothing_and_the_next_one_holds(tmp_path):
    no_bytes: Any = "text"
    with opened(tmp_path) as storage:
        with pytest.raises(TypeError):
            storage.commit(
                [Persist(1, (("fact", b"k", b"v"), ("meta", b"number", no_bytes)))]
            )
        assert storage.load()["fact"] == {}

        storage.commit(batch(1, 5))
        assert_exactly_after(storage.load(), 1, 5)


def test_after_a_write_error_no_batch_is_acknowledged_and_the_earlier_ones_are_there(
    tmp_path,
):
    """A file size limit is a write that the kernel really refuses, with EFBIG."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with opened(tmp_path) as storage:
        storage.commit(batch(1, 5))
        size = (tmp_path / WAL).stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 6000, hard))
        try:
            with pytest.raises(StorageError, match="restart") as caught:
                storage.commit(batch(2, 200))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert DATABASE in str(caught.value)
        with pytest.raises(StorageError, match="earlier batch"):
            storage.commit(batch(3, 5))

    with opened(tmp_path) as again:
        assert_exactly_after(again.load(), 1, 5)


@contextmanager
def mounted(where, options):
    where.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, f"lashup-test-{os.getpid()}", where],
        check=True, timeout=30,
    )  # fmt: skip
    try:
        yield where
    finally:
        subprocess.run(["umount", "--lazy", where], check=True, timeout=30)


class TestOnSmallDisks:
    pytestmark = needs_mount

    def test_a_read_only_file_system_is_refused(self, tmp_path):
        with mounted(tmp_path / "disk", "size=1m") as disk:
            fill(disk)
            subprocess.run(["mount", "-o", "remount,ro", disk], check=True, timeout=30)

            assert_refused(disk, "Read-only")

    def test_a_full_disk_loses_nothing_acknowledged_and_goes_on_when_there_is_space(
        self, tmp_path
    ):
        with mounted(tmp_path / "disk", "size=1m") as disk, opened(disk) as storage:
            filler = disk / "filler"
            filler.write_bytes(bytes(512 << 10))
            last, refusal = 0, None
            while refusal is None and last < 1000:
                try:
                    storage.commit(batch(last + 1, 20))
                except StorageError as error:
                    refusal = error
                else:
                    last += 1

            assert "full" in str(refusal)
            assert_exactly_after(storage.load(), last, 20)
            filler.unlink()
            storage.commit(batch(last + 1, 20))
            assert_exactly_after(storage.load(), last + 1, 20)

    def test_a_disk_too_full_for_a_new_database_leaves_nothing_behind(self, tmp_path):
        with mounted(tmp_path / "disk", "size=64k") as disk:
            (disk / "filler").write_bytes(bytes(56 << 10))

            with pytest.raises(StorageError, match=r"full|space"):
                opened(disk)
            (disk / "filler").unlink()

            with opened(disk) as storage:
                storage.commit([Persist(1, puts=(("fact", b"k", b"v"),))])
