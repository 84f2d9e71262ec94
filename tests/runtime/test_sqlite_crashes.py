"""Processes and disks that fail: what was acknowledged is there, and no half batch."""

import os
import random
import resource
import shutil
import signal
from typing import Any

import pytest

from lashup.errors import StorageError
from lashup.machine import Persist
from lashup.runtime.sqlite_file import cluster_of
from lashup.runtime.sqlite_storage import DATABASE
from lashup.runtime.write_ahead_log import is_damaged
from tests.runtime.committer import batch
from tests.runtime.disks import (
    WAL,
    assert_exactly_after,
    assert_refused,
    committer,
    mounted,
    needs_mount,
    opened,
)

#: Bytes of a frame in the log: its header, and a page.
FRAME = 24 + 4_096

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


def test_a_log_with_a_damaged_byte_is_refused_unless_it_looks_like_a_crash(tmp_path):
    source, copy = tmp_path / "source", tmp_path / "copy"
    ends = []
    with opened(source) as storage:
        for number in range(1, 11):
            storage.commit(batch(number, 5))
            ends.append((source / WAL).stat().st_size)
        files = {name: (source / name).read_bytes() for name in (DATABASE, WAL)}
    assert ends == sorted(set(ends))
    assert ends[-1] == len(files[WAL])
    #: Here ends what is known to have been on disk: behind it only the last one comes,
    #: and the frame that ends the one before, which may itself be what is damaged.
    certain = ends[-2] - FRAME
    rng = random.Random(2)
    places = [rng.randrange(len(files[WAL])) for _ in range(60)]
    places += [
        0,
        31,
        *range(32, 56),
        certain - 1,
        *(rng.randrange(certain, ends[-1]) for _ in range(20)),
    ]
    found = set()
    for place in places:
        damaged = bytearray(files[WAL])
        damaged[place] ^= 1 << rng.randrange(8)
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir()
        (copy / DATABASE).write_bytes(files[DATABASE])
        (copy / WAL).write_bytes(damaged)
        if is_damaged(copy / WAL):
            assert place < ends[-2]
            assert_refused(copy, WAL, "acknowledged")
            continue
        with opened(copy) as storage:
            rows = storage.load()
        number = int.from_bytes(rows["meta"].get(b"number", b""), "big")
        assert_exactly_after(rows, number, 5)
        assert place >= certain
        assert number >= 8
        found.add(number)

    assert 9 in found  # the last one alone: nobody can tell


def test_what_an_earlier_round_has_left_in_the_log_is_no_damage(tmp_path):
    source, copy = tmp_path / "source", tmp_path / "copy"
    with opened(source) as storage:
        storage._connection.execute("PRAGMA wal_autocheckpoint = 20")
        last = 33  # in the middle of a round
        for number in range(1, last + 1):
            storage.commit(batch(number, 5))
        files = {name: (source / name).read_bytes() for name in (DATABASE, WAL)}
    copy.mkdir()
    for name, data in files.items():
        (copy / name).write_bytes(data)
    in_force = files[WAL][16:24]
    salts = [files[WAL][at + 8 : at + 16] for at in range(32, len(files[WAL]), FRAME)]
    assert in_force in salts
    assert set(salts) - {in_force}

    with opened(copy) as storage:
        assert_exactly_after(storage.load(), last, 5)


def test_a_tool_does_not_fold_a_damaged_log_in_either(tmp_path):
    with opened(tmp_path / "source") as storage:
        for number in range(1, 11):
            storage.commit(batch(number, 5))
        shutil.copytree(tmp_path / "source", tmp_path / "copy")
    log = tmp_path / "copy" / WAL
    damaged = bytearray(log.read_bytes())
    damaged[FRAME * 3] ^= 1
    log.write_bytes(damaged)

    with pytest.raises(StorageError, match="acknowledged"):
        cluster_of(tmp_path / "copy" / DATABASE)

    assert log.read_bytes() == damaged


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


class TestOnSmallDisks:
    pytestmark = needs_mount

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
