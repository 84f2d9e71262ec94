import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio

from navstar.allocation import Allocation
from navstar.errors import Unusable
from navstar.sources import Fault, Reading
from navstar.sources.file import MAX_FILE, FileSource, read_file
from tests.navstar.allocations import ALLOCATION

TEXT = """
[[overlay]]
name = "dcos"
subnet = "9.0.0.0/8"
block = "9.0.1.0/24"
subnet6 = "fd01:b::/64"
block6 = "fd01:b:0:0:1::/80"

[overlay.vtep]
name = "vtep1024"
vni = 1024
mac = "70-B3-D5-80-00-01"
address = "44.128.0.1/20"
address6 = "fd01:a::1/64"
mtu = 1450
"""
OVERLAY = {
    "name": "dcos",
    "subnet": "9.0.0.0/8",
    "block": "9.0.1.0/24",
    "subnet6": "fd01:b::/64",
    "block6": "fd01:b:0:0:1::/80",
    "vtep": {
        "name": "vtep1024",
        "vni": 1024,
        "mac": "70:b3:d5:80:00:01",
        "address": "44.128.0.1/20",
        "address6": "fd01:a::1/64",
        "mtu": 1450,
    },
}

Next = Callable[[], Awaitable[Reading]]


async def test_every_reading_is_counted_and_those_that_failed(
    path: Path, nursery, autojump_clock
) -> None:
    source = FileSource(path, poll_period=0.2)
    send, receive = trio.open_memory_channel[Reading](0)
    nursery.start_soon(source.run, send)

    await receive.receive()
    write(path, TEXT)
    await receive.receive()

    assert (source.tally.reads, source.tally.failed) == (2, 1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "allocation.toml"


@pytest.fixture
async def reading(path: Path, nursery, autojump_clock) -> Next:
    """Starts the source; each call waits for its next reading, in virtual time."""
    send, receive = trio.open_memory_channel[Reading](0)
    nursery.start_soon(FileSource(path, poll_period=0.2).run, send)

    async def next_reading() -> Reading:
        with trio.fail_after(10):
            return await receive.receive()

    return next_reading


def write(path: Path, text: str) -> None:
    path.write_text(text)


def problems(path: Path) -> list[str]:
    with pytest.raises(Unusable) as caught:
        read_file(path)
    return [str(problem) for problem in caught.value.problems]


def test_bridges_may_be_named(path: Path) -> None:
    path.write_text(TEXT.replace("[overlay.vtep]", 'bridges = ["br0"]\n[overlay.vtep]'))

    assert [one.bridges for one in read_file(path).overlays] == [("br0",)]


def test_a_bridge_must_be_a_device_and_not_the_vtep(path: Path) -> None:
    named = 'bridges = ["a/b", "vtep1024"]\n[overlay.vtep]'
    path.write_text(TEXT.replace("[overlay.vtep]", named))

    assert problems(path) == [
        "overlay[0].bridges: 'a/b' cannot be the name of a device",
        "overlay[0].bridges: 'vtep1024' is the VTEP",
    ]


def test_toml_and_json_say_the_same(path: Path) -> None:
    path.write_text(TEXT)
    as_json = path.with_suffix(".json")
    as_json.write_text(json.dumps({"overlay": [OVERLAY]}))

    assert read_file(path) == read_file(as_json) == ALLOCATION


@pytest.mark.parametrize("text", ["", "overlay = []", "# [[overlay]]\n"])
def test_an_emptied_file_is_no_allocation_and_the_way_out_is_named(
    path: Path, text: str
) -> None:
    path.write_text(text)

    (problem,) = problems(path)

    assert problem.startswith("overlay: lists no overlay; ")
    assert "navstar down --leave" in problem


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_regular_file_is_refused_at_once(path: Path, make) -> None:
    make(path)

    assert problems(path) == ["should be a regular file"]


def test_a_device_is_not_even_opened(tmp_path: Path) -> None:
    link = tmp_path / "allocation.toml"
    link.symlink_to("/dev/zero")

    assert problems(link) == ["should be a regular file"]


def test_a_link_to_a_file_is_followed(path: Path, tmp_path: Path) -> None:
    (tmp_path / "there").write_text(TEXT)
    path.symlink_to(tmp_path / "there")

    assert read_file(path) == ALLOCATION


def test_a_huge_file_is_not_read(path: Path) -> None:
    path.write_text(TEXT)
    os.truncate(path, MAX_FILE + 1)

    (problem,) = problems(path)

    assert f"is larger than {MAX_FILE} bytes" in problem


def test_every_problem_of_the_form_is_named_by_its_path(path: Path) -> None:
    path.write_text(
        TEXT.replace("9.0.1.0/24", "9.0.1.5/24")
        .replace("vni = 1024", 'vni = "1024"')
        .replace("70-B3", "71-B3")
        .replace("mtu =", "mut =")
    )

    assert problems(path) == [
        "overlay[0].vtep.vni: should be a valid integer, not '1024'",
        "overlay[0].vtep.mac: should be a unicast MAC address (first byte even), "
        "not '71-B3-D5-80-00-01'",
        "overlay[0].vtep.mut: is not a known field (is 'mtu' meant?)",
        "overlay[0].block: 9.0.1.5/24 has host bits set",
    ]


def test_every_problem_of_the_meaning_is_named_by_its_path(path: Path) -> None:
    path.write_text(TEXT + TEXT.replace("vni = 1024", "vni = 0"))

    found = problems(path)

    assert "overlay[1].name: 'dcos' is used twice" in found
    assert "overlay[1].vtep.vni: 0 is not in 1 to 16777215" in found


@pytest.mark.parametrize(
    "content", [b"\xff", b"[[overlay", b"overlay = 3", b"[" * 9999]
)
def test_what_is_no_allocation_is_said_to_be_none(tmp_path, content: bytes) -> None:
    for name in ("a.toml", "a.json"):
        file = tmp_path / name
        file.write_bytes(content)
        assert problems(file)


async def test_the_file_is_read_at_the_start(path: Path, nursery, autojump_clock):
    write(path, TEXT)
    send, receive = trio.open_memory_channel[Reading](0)
    nursery.start_soon(FileSource(path, poll_period=0.2).run, send)

    assert await receive.receive() == ALLOCATION


async def test_a_missing_file_is_a_fault_until_it_appears(
    path: Path, reading, autojump_clock
) -> None:
    first = await reading()
    write(path, TEXT)

    assert isinstance(first, Fault)
    assert "No such file" in first.reason
    assert await reading() == ALLOCATION


async def test_a_broken_edit_is_a_fault_and_the_next_right_one_counts(
    path: Path, reading, autojump_clock
) -> None:
    await reading()
    write(path, TEXT)
    good = await reading()
    write(path, TEXT.replace("9.0.1.0/24", "10.0.1.0/24"))
    fault = await reading()
    write(path, TEXT.replace("9.0.1.0/24", "9.0.2.0/24"))
    mended = await reading()

    assert good == ALLOCATION
    assert isinstance(fault, Fault)
    assert "overlay[0].block: 10.0.1.0/24 is outside" in fault.reason
    assert isinstance(mended, Allocation)
    assert str(mended.overlays[0].block) == "9.0.2.0/24"


async def test_a_file_replaced_by_rename_is_read(
    path: Path, reading, autojump_clock
) -> None:
    await reading()
    new = path.with_name("new")
    write(new, TEXT)
    os.rename(new, path)

    assert await reading() == ALLOCATION


async def test_a_file_that_is_still_being_written_is_not_read(
    path: Path, nursery, autojump_clock
) -> None:
    write(path, TEXT)
    send, receive = trio.open_memory_channel[Reading](0)
    nursery.start_soon(FileSource(path, poll_period=0.2).run, send)
    await receive.receive()

    # Cut between two overlays the text is a valid allocation without the second.
    for size in range(1, 12):
        write(path, "#" * size + TEXT.replace("9.0.1.0/24", "9.0.2.0/24"))
        # Twice per look, so that no two looks in a row agree.
        await trio.sleep(0.1)
        with pytest.raises(trio.WouldBlock):
            receive.receive_nowait()

    settled = await receive.receive()
    assert isinstance(settled, Allocation)
    assert str(settled.overlays[0].block) == "9.0.2.0/24"


async def test_a_file_that_is_being_written_at_the_start_is_not_read(
    path: Path, nursery, autojump_clock
) -> None:
    write(path, TEXT)
    send, receive = trio.open_memory_channel[Reading](0)
    nursery.start_soon(FileSource(path, poll_period=0.2).run, send)

    for size in range(1, 12):
        await trio.sleep(0.1)
        with pytest.raises(trio.WouldBlock):
            receive.receive_nowait()
        write(path, "#" * size + TEXT)

    assert await receive.receive() == ALLOCATION


async def test_an_emptied_file_keeps_what_was_there(
    path: Path, reading, autojump_clock
) -> None:
    await reading()
    write(path, TEXT)
    good = await reading()
    write(path, "overlay = []")

    assert good == ALLOCATION
    assert isinstance(await reading(), Fault)


async def test_a_pipe_in_place_of_the_file_is_a_fault_and_blocks_nobody(
    path: Path, reading, autojump_clock
) -> None:
    os.mkfifo(path)

    fault = await reading()

    assert isinstance(fault, Fault)
    assert "should be a regular file" in fault.reason
