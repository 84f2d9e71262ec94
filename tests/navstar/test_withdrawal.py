from dataclasses import replace
from ipaddress import ip_address, ip_interface, ip_network

from hypothesis import given
from hypothesis import strategies as st

from navstar.diff import diff
from navstar.tables import Addr, Fdb, Link, Neighbour, Route, Row, Rule, kernel_key
from navstar.withdrawal import Brake, Caution, Knowledge, Release

CAUTION = Caution(
    max_withdrawal=0.3, brake_delay=30.0, release=Release.BY_DELAY, grace=20.0
)
KNOWING = Knowledge(
    is_synchronised=True, is_informed=True, is_alone=False, running_for=1.0
)
IGNORANT = replace(KNOWING, is_synchronised=False)
ALONE = replace(IGNORANT, is_alone=True)

LINK = Link("vtep1024", 1024, 64000, ip_address("10.0.0.1"), "02:00:00:00:00:01", 1450)
GROUND: frozenset[Row] = frozenset(
    {
        LINK,
        Addr("vtep1024", ip_interface("44.128.0.1/20")),
        Rule(ip_network("9.0.0.0/8")),
    }
)


def agent(number: int, link: str = "vtep1024") -> frozenset[Row]:
    via = ip_address(f"44.128.0.{number}")
    mac = f"02:00:00:00:01:{number:02x}"
    return frozenset(
        {
            Neighbour(link, via, mac),
            Fdb(link, mac, ip_address(f"10.0.0.{number}")),
            Route(link, ip_network(f"9.0.{number}.0/24"), via, metric=number),
        }
    )


def agents(count: int) -> frozenset[Row]:
    return GROUND.union(*(agent(number) for number in range(2, count + 2)))


def brake(caution: Caution = CAUTION) -> Brake:
    return Brake(caution)


def test_nothing_goes_before_the_table_was_compared_with_a_peers() -> None:
    verdict = brake().judge(GROUND, agents(3), knowledge=IGNORANT, now=1000.0)

    assert diff(verdict.aim, agents(3)) == ()
    assert verdict.held == agents(3) - GROUND
    assert "compared" in verdict.reason


def test_additions_need_not_wait() -> None:
    verdict = brake().judge(agents(3), agents(1), knowledge=IGNORANT, now=0.0)

    assert verdict.aim == agents(3)
    assert not verdict.held


def test_once_synchronised_what_is_not_desired_goes() -> None:
    verdict = brake().judge(GROUND, agents(3), knowledge=KNOWING, now=0.0)

    assert verdict.aim == GROUND


def test_a_lone_node_waits_out_its_grace() -> None:
    early = replace(ALONE, running_for=15.0)
    late = replace(ALONE, running_for=20.0)

    held = brake().judge(GROUND, agents(1), knowledge=early, now=100.0)
    free = brake().judge(GROUND, agents(1), knowledge=late, now=105.0)

    assert held.held
    assert held.look_again_at == 105.0
    assert free.aim == GROUND


def test_a_node_with_seeds_that_reaches_nobody_never_deletes() -> None:
    long_since = replace(IGNORANT, running_for=1e6)

    assert brake().judge(GROUND, agents(1), knowledge=long_since, now=1e6).held


def test_agreement_among_those_who_all_lost_their_disks_is_waited_out() -> None:
    early = replace(KNOWING, is_informed=False, running_for=15.0)
    late = replace(KNOWING, is_informed=False, running_for=20.0)

    held = brake().judge(GROUND, agents(3), knowledge=early, now=100.0)
    free = brake().judge(GROUND, agents(3), knowledge=late, now=105.0)

    assert held.held
    assert held.look_again_at == 105.0
    assert free.aim == GROUND


def test_many_agents_gone_at_once_wait_for_a_second_look() -> None:
    careful = brake()

    first = careful.judge(agents(6), agents(12), knowledge=KNOWING, now=100.0)
    second = careful.judge(agents(6), agents(12), knowledge=KNOWING, now=129.9)
    third = careful.judge(agents(6), agents(12), knowledge=KNOWING, now=130.0)

    assert (bool(first.held), bool(second.held), bool(third.held)) == (1, 1, 0)
    assert first.reason == "6 of 12 agents would go at once"
    assert first.look_again_at == 130.0
    assert third.aim == agents(6)


def test_the_brake_lets_go_when_the_agents_come_back() -> None:
    careful = brake()
    careful.judge(agents(6), agents(12), knowledge=KNOWING, now=100.0)
    careful.judge(agents(12), agents(12), knowledge=KNOWING, now=110.0)

    again = careful.judge(agents(6), agents(12), knowledge=KNOWING, now=131.0)

    assert again.held


def test_few_agents_are_no_evidence() -> None:
    assert not brake().judge(GROUND, agents(10), knowledge=KNOWING, now=0.0).held
    assert brake().judge(GROUND, agents(11), knowledge=KNOWING, now=0.0).held


def test_a_share_below_the_limit_goes_at_once() -> None:
    assert not brake().judge(agents(14), agents(20), knowledge=KNOWING, now=0.0).held
    assert brake().judge(agents(13), agents(20), knowledge=KNOWING, now=0.0).held


def test_a_table_that_is_emptied_line_by_line_is_braked_all_the_same() -> None:
    careful = brake()
    gone = []

    for step in range(20):
        verdict = careful.judge(
            agents(19 - step), agents(20 - step), knowledge=KNOWING, now=step * 1.0
        )
        gone.append(not verdict.held)
        if verdict.held:
            break

    assert gone == [True] * 6 + [False]
    assert verdict.reason == (
        "1 of 20 agents would go at once, after 6 that have gone already"
    )
    released = careful.judge(agents(2), agents(14), knowledge=KNOWING, now=36.0)
    assert released.aim == agents(2)


def test_agents_that_leave_now_and_then_are_never_held() -> None:
    careful = brake()

    for step in range(20):
        # 6 of 20 at most within the delay.
        verdict = careful.judge(
            agents(20 - step), agents(21 - step), knowledge=KNOWING, now=step * 10.0
        )
        assert not verdict.held


def test_asked_to_ask_the_brake_waits_for_the_operator() -> None:
    careful = brake(replace(CAUTION, release=Release.BY_OPERATOR))

    assert not careful.confirm()
    assert careful.judge(GROUND, agents(12), knowledge=KNOWING, now=0.0).held
    assert careful.judge(GROUND, agents(12), knowledge=KNOWING, now=1e9).held
    assert careful.confirm()
    assert not careful.judge(GROUND, agents(12), knowledge=KNOWING, now=1e9).held


def test_a_confirmation_is_good_for_one_withdrawal() -> None:
    careful = brake(replace(CAUTION, release=Release.BY_OPERATOR))
    careful.judge(GROUND, agents(12), knowledge=KNOWING, now=0.0)
    careful.confirm()
    careful.judge(GROUND, agents(12), knowledge=KNOWING, now=1.0)
    careful.judge(GROUND, GROUND, knowledge=KNOWING, now=2.0)

    assert careful.judge(GROUND, agents(12), knowledge=KNOWING, now=3.0).held


def test_a_link_that_is_made_anew_gets_its_held_rows_back() -> None:
    renumbered = replace(LINK, vni=1025)
    desired = GROUND - {LINK} | {renumbered}

    verdict = brake().judge(desired, agents(3), knowledge=IGNORANT, now=0.0)

    assert renumbered in verdict.aim
    assert LINK not in verdict.aim
    assert agents(3) - GROUND <= verdict.aim


def test_a_link_in_the_way_of_a_desired_one_is_not_held() -> None:
    renamed = replace(LINK, name="vtep9")
    desired: frozenset[Row] = frozenset({renamed, *agent(2, "vtep9")})

    verdict = brake().judge(desired, agents(3), knowledge=IGNORANT, now=0.0)

    assert LINK not in verdict.aim
    assert not {row for row in verdict.aim if getattr(row, "link", "") == LINK.name}


row_sets = st.sets(st.integers(2, 30), max_size=29).map(
    lambda numbers: GROUND.union(*map(agent, numbers))
)


@given(row_sets, row_sets, st.sampled_from([KNOWING, IGNORANT, ALONE]))
def test_whatever_is_held_the_aim_is_one_the_kernel_can_have(
    desired, actual, knowledge
) -> None:
    verdict = brake().judge(desired, actual, knowledge=knowledge, now=0.0)

    assert desired <= verdict.aim <= desired | actual
    assert verdict.aim == desired | verdict.held
    assert len({kernel_key(row) for row in verdict.aim}) == len(verdict.aim)
    assert bool(verdict.held) == bool(verdict.reason)
