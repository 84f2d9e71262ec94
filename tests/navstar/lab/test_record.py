"""The record of a lab: taken once, and telling all that was made."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from navstar.lab.errors import NoSuchLab, StaleLab
from navstar.lab.record import disown, find_record, open_record
from navstar.lab.topology import Topology


def test_a_record_tells_another_process_all_that_was_noted():
    record = open_record(Topology("one", size=4, containers=2))
    record.expect(["one-fabric"])
    record.expect(["one-a1", "one-c1-1"])
    process = record.started("a1", os.getpid())

    found = find_record("one")

    assert found.topology == record.topology
    assert found.namespaces == ("one-fabric", "one-a1", "one-c1-1")
    assert found.processes == {"a1": process}
    assert found.owner == process


def test_a_second_lab_of_a_prefix_is_refused_naming_the_first_and_the_way_out():
    open_record(Topology("one"))

    with pytest.raises(StaleLab, match=f"in use by process {os.getpid()}") as caught:
        open_record(Topology("one"))

    assert "navstar lab down --prefix one" in caught.value.way_out
    open_record(Topology("two"))


def test_a_lab_that_was_left_up_is_named_as_such():
    disown(open_record(Topology("one")))

    with pytest.raises(StaleLab, match="left up"):
        open_record(Topology("one"))


def test_a_lab_whose_owner_has_died_is_named_as_left_behind():
    code = (
        "from navstar.lab.record import open_record\n"
        "from navstar.lab.topology import Topology\n"
        "open_record(Topology('one'))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)

    with pytest.raises(StaleLab, match="left behind by process"):
        open_record(Topology("one"))


def test_a_lab_that_died_before_its_first_note_can_be_found_and_erased(labs_directory):
    (labs_directory / "one").mkdir(parents=True)

    record = find_record("one")
    record.erase()

    assert record.owner is None
    assert record.processes == {}
    with pytest.raises(NoSuchLab):
        find_record("one")


def test_no_lab_is_an_error_that_says_how_to_make_one():
    with pytest.raises(NoSuchLab) as caught:
        find_record("none")

    assert "navstar lab up --prefix none" in caught.value.way_out
