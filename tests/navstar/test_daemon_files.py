"""What two running agents make of what their allocation files come to say."""

import re
import signal

import pytest

from tests.navstar.daemons import (
    ALLOCATION,
    Daemon,
    is_meshed,
    meshed,
    start,
    until,
    writes,
)

pytestmark = pytest.mark.kernel


def test_another_block_is_another_route_everywhere(standing) -> None:
    first, second = standing

    first.allocate(ALLOCATION.format(number=1, block=7))

    until(second.rows, lambda rows: any("9.0.7.0/24" in row for row in rows))
    until(second.rows, lambda rows: not any("9.0.1.0/24" in row for row in rows))
    assert second.ask("status")["lines"] == 4


def test_a_broken_edit_keeps_what_was_there_and_is_reported(standing) -> None:
    first, second = standing
    before = first.rows(), second.rows()

    first.allocate(ALLOCATION.format(number=1, block=1).replace("9.0.1.0", "8.0.1.0"))

    fault = until(lambda: first.ask("status")["source"]["fault"])
    assert "overlay[0].block: 8.0.1.0/24 is outside" in fault
    assert (first.rows(), second.rows()) == before


SECOND_OVERLAY = """
[[overlay]]
name = "more"
subnet = "10.9.0.0/16"
block = "10.9.1.0/24"

[overlay.vtep]
name = "vtep1025"
vni = 1025
mac = "70:b3:d5:80:01:01"
address = "44.129.0.1/20"
"""


def test_an_overlay_that_is_gone_takes_its_rows_along(standing) -> None:
    first, second = standing
    before = first.rows()
    one = ALLOCATION.format(number=1, block=1)
    first.allocate(one + SECOND_OVERLAY)
    until(lambda: second.ask("status")["lines"], lambda lines: lines == 5)
    until(lambda: "vtep1025" in first.run("ip -br link"))

    first.allocate(one)

    until(first.rows, lambda rows: rows == before)
    until(lambda: second.ask("status")["lines"], lambda lines: lines == 4)
    assert "vtep1025" not in first.run("ip -br link")


def test_an_emptied_file_takes_nothing_away_and_is_reported(standing) -> None:
    first, second = standing
    written = writes(first), writes(second)

    first.allocate("overlay = []")

    fault = until(lambda: first.ask("status")["source"]["fault"])
    assert "navstar down --leave" in fault
    first.write()
    until(lambda: not first.ask("status")["source"]["fault"])
    assert (writes(first), writes(second)) == written


@pytest.mark.parametrize("text", [None, "[[overlay", "overlay = []"])
def test_started_with_a_file_that_says_nothing_it_changes_nothing(pair, text) -> None:
    first, second = pair
    before, written = first.kernel(), writes(second)
    first.end()
    if text is None:
        (first.directory / "allocation1.toml").unlink()
    else:
        first.allocate(text)

    first.start()
    status = until(
        lambda: first.ask("status"),
        lambda s: s["kv_synchronised"] and s["source"]["fault"],
    )

    assert (status["state"], status["kernel"]["writes"]) == ("waiting", 0)
    assert first.kernel() == before
    # What it had said stands: with the file back there is nothing to be done.
    first.write()
    status = until(lambda: first.ask("status"), lambda s: is_meshed(s, 1))
    assert status["kernel"]["writes"] == 0
    assert writes(second) == written
    assert second.ask("status")["lines"] == 4


def test_nothing_is_deleted_before_a_peer_was_heard(agents) -> None:
    first, second = agents
    start(first, second)
    before = first.rows()
    second.end(signal.SIGKILL)
    first.end(signal.SIGKILL)
    # As after the loss of a disk: the table is empty, the kernel is not.
    (first.directory / "data1").rename(first.directory / "lost")

    first.start()
    status = until(
        lambda: first.ask("status"),
        lambda s: s["kernel"]["passes"] and s["held"]["rows"],
    )

    assert "compared" in status["held"]["reason"]
    assert first.rows() == before
    assert first.ask("status")["kernel"]["writes"] == 0


def test_seeds_that_are_named_after_the_start_are_found_without_a_reload(
    agents: tuple[Daemon, Daemon],
) -> None:
    first, second = agents
    named = second.config.read_text()
    for agent in agents:  # else the first would find the second by its own seeds
        unnamed = re.sub(r"seeds = .*\n", "seeds = []\n", agent.config.read_text())
        agent.config.write_text(unnamed)
    first.start()
    second.start()
    assert len(second.ask("members")["members"]) == 1

    second.config.write_text(named)

    meshed(first, second)


def test_seeds_are_taken_over_by_a_reload(pair: tuple[Daemon, Daemon]) -> None:
    _, second = pair
    named = second.config.read_text()
    second.config.write_text(
        re.sub(r"seeds = .*\n", 'seeds = ["10.78.0.9:1"]\n', named)
    )

    second.hang_up()

    reloaded = until(lambda: [e for e in second.log() if e["event"] == "reloaded"])
    assert reloaded[0]["taken"] == ["lashup.seeds"]
