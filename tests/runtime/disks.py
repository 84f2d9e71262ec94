"""Verbs of the tests of the disk: databases to fill, to copy, and to be refused."""

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lashup.errors import StorageError
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
