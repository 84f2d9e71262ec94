"""What the source says after a restart of the daemon, or of the agent module.

A real HTTP server on loopback, and real files.
"""

import copy
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from navstar.allocation import Allocation
from navstar.sources import Fault
from tests.navstar.sources.test_agent_answer import ANSWER
from tests.navstar.sources.test_agent_http import (
    Endpoint,
    Handler,
    readings,
    reply,
    serving,
)


@pytest.fixture
def endpoint(tmp_path: Path):
    with serving() as one:
        one.kept = tmp_path / "kept.json"
        yield one


def says(endpoint: Endpoint, document: object) -> None:
    def respond(handler: Handler) -> None:
        reply(handler, 200, document)

    endpoint.respond = respond


def with_state(**state: str) -> dict[str, Any]:
    document = copy.deepcopy(ANSWER)
    for overlay in document["overlays"]:
        overlay["state"] = state
    return document


CONFIGURING = with_state(status="STATUS_CONFIGURING")


@pytest.mark.parametrize("document", [CONFIGURING, with_state()])
async def test_after_a_restart_in_a_failover_the_overlays_are_as_they_were(
    endpoint, document
) -> None:
    (before,) = await readings(endpoint, 1)
    says(endpoint, document)

    (after,) = await readings(endpoint, 1)

    assert isinstance(before, Allocation)
    assert isinstance(after, Allocation)
    assert after.overlays == before.overlays
    assert len(after.overlays) == 2
    assert all("kept as it was" in one.reason for one in after.skipped)


@pytest.mark.parametrize("document", [{}, {"overlays": []}])
async def test_a_module_that_lists_nothing_after_a_restart_is_a_fault_alone(
    endpoint, document
) -> None:
    await readings(endpoint, 1)
    says(endpoint, document)

    (after,) = await readings(endpoint, 1)

    assert isinstance(after, Fault)
    assert "navstar down --leave" in after.reason


async def test_a_module_that_lists_nothing_for_a_while_changes_nothing(
    endpoint,
) -> None:
    answers: list[Any] = [ANSWER, {}, {"overlays": []}, CONFIGURING]
    endpoint.respond = lambda handler: reply(
        handler, 200, answers.pop(0) if len(answers) > 1 else answers[0]
    )

    first, second, third = await readings(endpoint, 3)

    assert isinstance(first, Allocation)
    assert isinstance(second, Fault)
    assert isinstance(third, Allocation)
    assert third.overlays == first.overlays


async def test_at_the_very_first_start_in_a_failover_there_is_no_allocation(
    endpoint,
) -> None:
    says(endpoint, CONFIGURING)

    (first,) = await readings(endpoint, 1)

    assert isinstance(first, Fault)
    assert "dcos: its status is STATUS_CONFIGURING" in first.reason
    assert not endpoint.kept.exists()


async def test_what_is_kept_is_for_the_owner_and_written_only_when_it_changes(
    endpoint,
) -> None:
    await readings(endpoint, 1)
    first = os.stat(endpoint.kept)
    irrelevant = copy.deepcopy(ANSWER)
    irrelevant["overlays"][0]["mesos_bridge"]["ip"] = "9.0.2.0/26"
    says(endpoint, irrelevant)
    await readings(endpoint, 1)
    same = os.stat(endpoint.kept)
    says(endpoint, ANSWER | {"overlays": ANSWER["overlays"][:1]})
    await readings(endpoint, 1)
    other = os.stat(endpoint.kept)

    assert stat.S_IMODE(first.st_mode) == 0o600
    # A file that is written anew is another inode.
    assert (same.st_ino, same.st_mtime_ns) == (first.st_ino, first.st_mtime_ns)
    assert other.st_mtime_ns != first.st_mtime_ns
    assert [path.name for path in endpoint.kept.parent.iterdir()] == ["kept.json"]


async def test_an_overlay_that_went_is_not_kept(endpoint) -> None:
    await readings(endpoint, 1)
    says(endpoint, ANSWER | {"overlays": ANSWER["overlays"][1:]})
    await readings(endpoint, 1)
    says(endpoint, CONFIGURING)

    (after,) = await readings(endpoint, 1)

    assert isinstance(after, Allocation)
    assert [overlay.name for overlay in after.overlays] == ["dcos6"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:-20],
        lambda content: b"\xff" + content,
        lambda content: b"[" * 99_999,
        lambda content: b'{"overlays": []}',
        lambda content: content.replace(b"9.0.2.0/24", b"9.0.3.0/24"),
    ],
)
async def test_a_damaged_file_is_reported_ignored_and_replaced(
    endpoint, damage
) -> None:
    await readings(endpoint, 1)
    endpoint.kept.write_bytes(damage(endpoint.kept.read_bytes()))

    damaged, after = await readings(endpoint, 2)
    (again,) = await readings(endpoint, 1)

    assert isinstance(damaged, Fault)
    assert f"{endpoint.kept}: is damaged, and is ignored" in damaged.reason
    assert isinstance(after, Allocation)
    assert again == after


async def test_with_a_damaged_file_in_a_failover_there_is_no_allocation(
    endpoint,
) -> None:
    await readings(endpoint, 1)
    endpoint.kept.write_text("{")
    says(endpoint, CONFIGURING)

    damaged, after = await readings(endpoint, 2)

    assert isinstance(damaged, Fault)
    assert isinstance(after, Fault)
    assert "no overlay can be used yet" in after.reason


async def test_what_cannot_be_kept_is_in_force_all_the_same_and_reported(
    endpoint, tmp_path
) -> None:
    endpoint.kept = tmp_path / "gone" / "kept.json"

    first, second = await readings(endpoint, 2)

    assert isinstance(first, Allocation)
    assert isinstance(second, Fault)
    assert "cannot be written" in second.reason


async def test_a_write_that_was_cut_short_leaves_the_file_before_in_force(
    endpoint,
) -> None:
    await readings(endpoint, 1)
    endpoint.kept.with_name("kept.json.new").write_text('{"crc32"')
    says(endpoint, CONFIGURING)

    (after,) = await readings(endpoint, 1)

    assert isinstance(after, Allocation)
    assert len(after.overlays) == 2


async def test_the_file_holds_the_items_as_the_module_listed_them(endpoint) -> None:
    await readings(endpoint, 1)

    assert json.loads(endpoint.kept.read_bytes())["overlays"] == ANSWER["overlays"]
