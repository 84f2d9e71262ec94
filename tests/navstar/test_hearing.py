"""When an agent takes silence, and datagrams that do not open, for a fault."""

from navstar.hearing import Hearing


def test_silence_is_a_fault_after_ten_seconds_and_over_with_the_first_answer() -> None:
    hearing = Hearing(now=100.0)

    hearing.look({}, is_answered=False, now=109.9)
    early = hearing.is_cut_off
    hearing.look({}, is_answered=False, now=110.0)
    late = hearing.is_cut_off
    hearing.look({}, is_answered=True, now=111.0)

    assert (early, late, hearing.is_cut_off) == (False, True, False)
    assert hearing.silent_for == 0.0


def test_ten_seconds_count_from_the_last_answer() -> None:
    hearing = Hearing(now=0.0)

    hearing.look({}, is_answered=True, now=50.0)
    hearing.look({}, is_answered=False, now=59.0)

    assert not hearing.is_cut_off


def test_datagrams_that_do_not_open_are_told_at_most_once_a_minute() -> None:
    hearing = Hearing(now=0.0)

    told = [
        hearing.look({"seal_unknown_key": second}, is_answered=True, now=float(second))
        for second in range(1, 130)
    ]

    assert [(at, n) for at, n in enumerate(told, 1) if n] == [
        (1, 1),
        (61, 60),
        (121, 60),
    ]


def test_when_no_more_come_no_more_is_told() -> None:
    hearing = Hearing(now=0.0)
    told = [
        hearing.look({"seal_forged": 7}, is_answered=True, now=60.0 * minute)
        for minute in range(5)
    ]

    assert told == [7, 0, 0, 0, 0]


def test_garbage_and_repeats_are_counted_and_not_warned_of() -> None:
    hearing = Hearing(now=0.0)

    told = hearing.look(
        {"seal_malformed": 3, "seal_replayed": 2, "udp_sent": 9},
        is_answered=True,
        now=1.0,
    )

    assert told == 0
    assert hearing.refused == {
        "malformed": 3,
        "unknown_key": 0,
        "forged": 0,
        "replayed": 2,
        "out_of_window": 0,
    }
