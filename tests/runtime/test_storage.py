"""What every storage does, the one in memory as the one on disk."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lashup.errors import UsageError
from lashup.machine import Persist
from lashup.runtime.memory_storage import MemoryStorage
from lashup.runtime.sqlite_storage import SqliteStorage
from lashup.runtime.storage import TABLES, Rows

EMPTY: Rows = {table: {} for table in TABLES}

keys = st.binary(max_size=2)
tables = st.sampled_from(TABLES)
persists = st.builds(
    Persist,
    ticket=st.just(0),
    puts=st.lists(st.tuples(tables, keys, st.binary(max_size=20)), max_size=6).map(
        tuple
    ),
    deletes=st.lists(st.tuples(tables, keys), max_size=6).map(tuple),
)


@pytest.fixture(params=["memory", "sqlite"])
def storage(request, tmp_path):
    match request.param:
        case "memory":
            yield MemoryStorage()
        case _:
            with SqliteStorage(tmp_path / "data", cluster="prod") as opened:
                yield opened


def test_a_new_storage_is_empty_and_has_every_table(storage):
    assert storage.load() == EMPTY


def test_rows_come_back_as_they_were_put(storage):
    everything = bytes(range(256))
    storage.commit([Persist(1, puts=(("fact", everything, b""), ("meta", b"", b"v")))])

    assert storage.load() == EMPTY | {"fact": {everything: b""}, "meta": {b"": b"v"}}


def test_within_one_persist_deletes_come_before_puts(storage):
    storage.commit([Persist(1, puts=(("fact", b"k", b"old"),))])

    storage.commit(
        [Persist(2, puts=(("fact", b"k", b"new"),), deletes=(("fact", b"k"),))]
    )

    assert storage.load()["fact"] == {b"k": b"new"}


def test_a_later_persist_of_a_batch_overrides_an_earlier(storage):
    put = Persist(1, puts=(("fact", b"k", b"v"),))
    delete = Persist(2, deletes=(("fact", b"k"),))

    storage.commit([put, delete])
    assert storage.load()["fact"] == {}

    storage.commit([delete, put])
    assert storage.load()["fact"] == {b"k": b"v"}


def test_deleting_what_is_not_there_is_no_error(storage):
    storage.commit([Persist(1, deletes=(("fact", b"nothing"),))])

    assert storage.load() == EMPTY


def test_a_batch_with_an_unknown_table_changes_nothing(storage):
    with pytest.raises(UsageError, match="elsewhere"):
        storage.commit(
            [
                Persist(1, puts=(("fact", b"k", b"v"),)),
                Persist(2, puts=(("elsewhere", b"k", b"v"),)),
            ]
        )

    assert storage.load() == EMPTY


def test_what_load_returned_is_the_callers_to_change(storage):
    storage.load()["fact"][b"k"] = b"v"

    assert storage.load() == EMPTY


def test_commits_may_come_from_one_thread_after_another(storage):
    for number in range(3):
        row = ("fact", bytes([number]), b"v")
        commit = threading.Thread(target=storage.commit, args=([Persist(0, (row,))],))
        commit.start()
        commit.join()

    assert len(storage.load()["fact"]) == 3


def test_closing_once_more_does_nothing(storage):
    storage.close()
    storage.close()


@given(st.lists(st.lists(persists, max_size=4), max_size=8))
def test_memory_and_disk_agree_on_any_history(tmp_path_factory, history):
    directory = tmp_path_factory.mktemp("history")
    memory = MemoryStorage()
    with SqliteStorage(directory, cluster="prod") as disk:
        for batch in history:
            memory.commit(batch)
            disk.commit(batch)
        assert disk.load() == memory.load()

    with SqliteStorage(directory, cluster="prod") as again:
        assert again.load() == memory.load()
