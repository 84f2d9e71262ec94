"""What the log says, and how loud."""

from collections.abc import Callable

import pytest
import structlog
from structlog.testing import capture_logs

from lashup import (
    Conflict,
    Failed,
    Joined,
    Left,
    Liveness,
    Member,
    Returned,
    SendRefused,
    Suspected,
)
from navstar.notices import Notices, name_conflicts
from tests.membership.vocabulary import record


def member(number: int, *, name: str = "", liveness: Liveness) -> Member:
    return Member(record(number, name=name), liveness, since=0.0)


@pytest.mark.parametrize(
    ("event", "level", "news"),
    [
        (Joined, "info", "member joined"),
        (Returned, "info", "member returned"),
        (Left, "info", "member left"),
        (Failed, "warning", "member failed"),
        (Suspected, "debug", "member suspected"),
    ],
)
def test_who_comes_and_goes_is_told_by_name(
    event: Callable[[Member], object], level: str, news: str
) -> None:
    with capture_logs() as logs:
        notices = Notices(structlog.get_logger())
        notices.tell_member(event(member(2, liveness=Liveness.ALIVE)))

    (told,) = logs
    assert (told["log_level"], told["event"]) == (level, news)
    assert told["member"] == "n2"
    assert told["address"] == "10.0.0.2:7946"


def test_a_copied_data_directory_is_told_as_an_error_with_the_way_out() -> None:
    with capture_logs() as logs:
        notices = Notices(structlog.get_logger())
        mine = member(2, liveness=Liveness.ALIVE)
        copy = member(2, name="elsewhere", liveness=Liveness.ALIVE)
        notices.tell_member(Conflict(copy, mine))
        notices.tell_member(Conflict(member(3, liveness=Liveness.ALIVE), mine))

    assert [told["log_level"] for told in logs] == ["error", "debug"]
    assert "copied data directory" in logs[0]["event"]
    assert logs[0]["member"] == "elsewhere"


def test_what_the_host_would_not_send_is_told_with_the_address() -> None:
    with capture_logs() as logs:
        Notices(structlog.get_logger()).tell_member(
            SendRefused(("fd00::1", 7946), "no route")
        )

    (told,) = logs
    assert (told["log_level"], told["event"]) == ("warning", "cannot send")
    assert (told["to"], told["why"]) == ("[fd00::1]:7946", "no route")


def test_two_live_holders_of_a_name_are_a_conflict_until_one_is_gone() -> None:
    one = member(1, name="web", liveness=Liveness.ALIVE)
    other = member(2, name="web", liveness=Liveness.SUSPECT)
    gone = member(2, name="web", liveness=Liveness.DOWN)
    third = member(3, liveness=Liveness.ALIVE)

    (conflict,) = name_conflicts([one, other, third])

    assert "web" in conflict
    for holder in (one, other):
        assert holder.id.hex() in conflict
    assert name_conflicts([one, gone, third]) == []


def test_silence_of_the_seeds_is_told_once_and_its_end_once() -> None:
    with capture_logs() as logs:
        notices = Notices(structlog.get_logger())
        for is_cut_off in (False, True, True, False):
            notices.tell_hearing(is_cut_off=is_cut_off, unopened=0)

    assert [told["log_level"] for told in logs] == ["warning", "info"]
    assert logs[0]["what"] == "no seed has answered for 10 s"


def test_datagrams_that_did_not_open_are_a_warning_with_their_number() -> None:
    with capture_logs() as logs:
        notices = Notices(structlog.get_logger())
        notices.tell_hearing(is_cut_off=False, unopened=17)

    (told,) = logs
    assert told["log_level"] == "warning"
    assert told["event"] == "17 datagrams did not open: another key or cluster"
