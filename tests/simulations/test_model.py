"""The vectorised model, against the parts of the exact world that it stands for."""

from __future__ import annotations

import json
from itertools import pairwise
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lashup.errors import UsageError
from lashup.machine import NodeId
from lashup.membership.config import LAN
from lashup.membership.member import Belief, Liveness
from lashup.membership.record import NodeRecord
from lashup.membership.suspicion import Suspicions, ladder
from lashup.multicast.tree import Trees
from simulations.cli import OK, USAGE, main
from simulations.measure import Metric
from simulations.model import MODELS
from simulations.model.delays import Delays
from simulations.model.detect import confirmed_after, expiry, questions
from simulations.model.gossip import gossiped, ridden
from simulations.model.health import multipliers, probe_failure
from simulations.model.partition import last_of, throughput
from simulations.model.repair import repaired, requests
from simulations.model.trees import children, multicast
from tests.simulations.test_world import acquainted

DELAYS = Delays("uniform:0.2ms:1ms")


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


@given(st.integers(2, 300), st.integers(1, 20))
def test_the_models_trees_are_those_of_the_machine(size, arity):
    order = [NodeId(index.to_bytes(16, "big")) for index in range(size)]
    origin = order[size // 3]
    exact = Trees(order, origin, arity=arity)
    wanted = {
        (exact.rank(node), exact.rank(child))
        for node in order
        for child in exact.children(node)
        if child != origin
    }

    fanout = max(1, min(arity, (size - 1) // 2))
    sources, targets = children(np.arange(size), size, fanout)

    assert set(zip(sources.tolist(), targets.tolist(), strict=True)) == wanted
    assert len(sources) == len(wanted)


def test_without_loss_a_multicast_reaches_all_with_two_copies_or_less():
    sent = multicast(1_000, arity=16, loss=0.0, delays=DELAYS, rng=rng())

    assert np.isfinite(sent.at).all()
    assert 1.9 < sent.copies / 1_000 <= 2
    # Three hops at most, none longer than a millisecond.
    assert sent.at.max() <= 0.003


def test_with_loss_a_multicast_misses_what_the_design_page_says():
    sent = [
        multicast(1_000, arity=16, loss=0.1, delays=DELAYS, rng=rng(s))
        for s in range(40)
    ]

    reached = np.mean([np.isfinite(each.at).mean() for each in sent])
    assert reached == pytest.approx(0.989, abs=0.004)


def test_gossip_of_news_reaches_all_within_a_few_rounds():
    at = gossiped(1_000, config=LAN, loss=0.0, delays=DELAYS, rng=rng())

    assert np.isfinite(at).all()
    # The burst alone reaches 94 %: the share that solves s = 1 - exp(-3 s).
    assert (at < 0.05).mean() == pytest.approx(0.94, abs=0.03)
    assert at.max() < 3 * LAN.gossip_period


def test_what_only_rides_on_packets_takes_seconds():
    at = ridden(1_000, config=LAN, loss=0.0, rng=rng())

    assert np.isfinite(at).all()
    assert 2 < at.max() < 10


@given(st.lists(st.floats(0, 60), min_size=3, max_size=3), st.integers(5, 5_000))
def test_a_suspicion_runs_out_when_the_machines_does(times, members):
    rungs = ladder(members, config=LAN)
    modelled = float(expiry([np.array([at]) for at in times], rungs)[0])

    clock = Suspicions()
    ordered = sorted(times)
    clock.start(NodeId(b"victim"), NodeId(b"1"), ladder=rungs, now=ordered[0])
    exact = None
    for number, at in enumerate(ordered[1:], start=2):
        if clock.next_wakeup() <= at:
            exact = clock.next_wakeup()
            break
        clock.confirm(NodeId(b"victim"), NodeId(b"%d" % number))
        exact = max(clock.next_wakeup(), at)
        if exact == at:
            break

    assert modelled == pytest.approx(exact)


def test_the_victim_is_first_asked_for_when_the_schedule_says():
    first = np.array([questions(config=LAN, rng=rng(seed))[0] for seed in range(2_000)])

    # The prober's act, or the victim's own that does not come: either is waited for
    # as for one of two in a period.
    assert np.median(first) == pytest.approx(0.3, abs=0.04)
    assert first.max() < LAN.probe_period + LAN.tardiness


def test_without_loss_witnesses_take_the_stall_that_is_forgiven():
    found = confirmed_after(
        100, is_doubted=False, loss=0.0, config=LAN, delays=DELAYS, rng=rng()
    )

    asked_at = LAN.probe_timeout_floor
    assert found == pytest.approx(asked_at + LAN.stall_allowance, abs=0.003)


def test_where_half_is_lost_witnesses_do_not_suffice():
    verdicts = [
        confirmed_after(
            100, is_doubted=False, loss=0.5, config=LAN, delays=DELAYS, rng=rng(seed)
        )
        for seed in range(50)
    ]

    assert np.median(verdicts) == np.inf


def test_a_death_reaches_nearly_all_in_one_go():
    at = gossiped(1_000, config=LAN, loss=0.0, delays=DELAYS, rng=rng(), is_urgent=True)

    assert (at < 0.01).mean() > 0.999


def test_without_loss_no_probe_fails_and_nobody_slows_down():
    assert probe_failure(0.0, config=LAN) == 0
    assert multipliers(0.0, config=LAN)[0] == pytest.approx(1)


@given(st.floats(0, 0.9))
def test_multipliers_are_a_distribution_that_grows_with_loss(loss):
    less, more = multipliers(loss, config=LAN), multipliers(loss + 0.1, config=LAN)
    steps = np.arange(1, len(less) + 1)

    assert less.sum() == pytest.approx(1)
    assert less @ steps <= more @ steps + 1e-9


def test_the_local_health_score_is_that_of_the_machine():
    from lashup.membership.health import LocalHealth

    loss, chance = 0.3, Random(1)
    health, scores = LocalHealth(limit=LAN.health_limit), []
    silent = 1 - (1 - loss) ** 2
    for _ in range(20_000):
        if chance.random() < probe_failure(loss, config=LAN):
            nacks = sum(chance.random() >= silent for _ in range(LAN.indirect_probes))
            health.probe_failed(helpers=LAN.indirect_probes, nacks=nacks)
        else:
            health.probe_succeeded()
        scores.append(health.multiplier)

    modelled = multipliers(loss, config=LAN) @ np.arange(1, LAN.health_limit + 2)
    assert np.mean(scores) == pytest.approx(modelled, rel=0.05)


def test_repair_takes_up_to_a_period_and_the_settling():
    since = np.full(10_000, 1.0)

    at = repaired(since, nodes=100, settle=0.25, loss=0.0, delays=DELAYS, rng=rng())

    assert at.min() >= 1.25
    assert at.max() <= 1.0 + 0.25 + LAN.probe_period + 0.01
    assert not len(
        repaired(since[:0], nodes=9, settle=0, loss=0, delays=DELAYS, rng=rng())
    )


@pytest.mark.parametrize("loss", [0.0, 0.1, 0.2])
def test_as_many_members_ask_for_witnesses_as_in_the_exact_world(loss):
    cluster = acquainted(60, loss=loss)

    def received() -> float:
        key = "membership_received_ping_request"
        return sum(host.running.statistics()[key] for host in cluster.hosts)

    before = received()
    cluster.run_for(10.0)

    asked = (received() - before) / 60 / 10.0
    assert requests(60, loss=loss) == pytest.approx(asked, rel=0.25, abs=0.01)


def test_the_more_witnesses_are_asked_for_the_sooner_a_difference_is_heard_of():
    since = np.zeros(10_000)

    few, many = (
        repaired(since, nodes=nodes, settle=0.0, loss=0.1, delays=DELAYS, rng=rng())
        for nodes in (4, 100)
    )

    assert many.mean() < 0.8 * few.mean()


def test_the_last_of_many_beliefs_comes_when_the_greatest_of_many_sums_does():
    sums = rng(2).gamma(2.0, size=(2_000, 100)).max(axis=1)

    modelled = last_of(100, 2_000, rng=rng(3))

    assert np.median(modelled) == pytest.approx(np.median(sums), rel=0.03)


def test_members_are_not_equal_before_all_are_seen():
    for seed in range(1, 51):
        found = MODELS["partition"].run({"nodes": 1_000}, seed=seed).metrics
        assert found[Metric.HEAL_MEMBERS] >= found[Metric.CONVERGE_ALL]


@pytest.mark.parametrize("nodes", [1, 20, 1_000, 100_000])
def test_a_packet_of_the_machine_carries_as_many_beliefs_as_in_the_model(nodes):
    record = NodeRecord(
        id=NodeId(bytes(range(16))),
        name=f"n{nodes:05}",
        epoch=1_750_000_000_000,
        incarnation=1,
        addresses=(("10.0.0.1", 7946),),
    )
    belief = len(Belief(record, Liveness.ALIVE).encode()) + 3

    exact = LAN.gossip_nodes / LAN.gossip_spacing * (LAN.max_payload // belief)

    assert throughput() == pytest.approx(exact, rel=0.1)


@pytest.mark.parametrize("name", list(MODELS))
def test_a_models_run_is_a_function_of_its_seed(name):
    model = MODELS[name]
    values = {"nodes": 500, "loss": 0.1}

    first, again, other = (model.run(values, seed=seed) for seed in (1, 1, 2))

    assert first.trace_sha256 == again.trace_sha256 != other.trace_sha256
    assert first.metrics == again.metrics


@pytest.mark.parametrize("name", list(MODELS))
def test_bigger_clusters_take_longer(name):
    times = [
        np.median(
            [
                MODELS[name].run({"nodes": nodes}, seed=s).metrics[Metric.CONVERGE_99]
                for s in range(15)
            ]
        )
        for nodes in (30, 300, 3_000)
    ]

    assert all(less < more for less, more in pairwise(times))


def test_a_hundred_thousand_nodes_are_no_trouble():
    run = MODELS["update"].run({"nodes": 100_000}, seed=1)

    assert run.metrics[Metric.CONVERGE_ALL] < 0.01
    assert run.metrics[Metric.COPIES] == pytest.approx(2, abs=0.01)


def test_the_model_answers_in_the_form_of_a_scenario(capsys):
    assert (
        main(["model", "update", "--nodes", "50,100", "--seeds", "3", "--json"]) == OK
    )

    small, large = json.loads(capsys.readouterr().out)
    assert small["scenario"] == "model update"
    assert [s["seed"] for s in small["seeds"]] == [1, 2, 3]
    assert large["parameters"]["nodes"] == 100
    assert large["summary"]["converge_all_s"]["count"] == 3
    assert small["seeds"][0]["command"] == (
        "python -m simulations model update --nodes 50 --seed 1"
    )


def test_check_states_the_error_against_the_exact_world(capsys):
    arguments = [
        "model",
        "update",
        "--nodes",
        "20",
        "--seeds",
        "6",
        "--check",
        "--json",
    ]

    assert main(arguments) == OK

    found = {each["metric"]: each for each in json.loads(capsys.readouterr().out)}
    assert set(found) == {"converge_50_s", "converge_99_s", "converge_all_s"}
    for each in found.values():
        assert abs(each["error"]["median"]) < 0.15


@pytest.mark.parametrize("nodes", ["3", "100000000", "many"])
def test_a_size_that_no_model_takes_is_an_error(nodes, capsys):
    assert main(["model", "detect", "--nodes", nodes]) == USAGE
    assert "--nodes" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["constant:1ms", "lognormal:20ms:0.5"])
def test_delays_are_distributed_as_in_the_exact_world(text):
    from simulations.latency import SECOND, latency_of

    exact, chance = latency_of(text), Random(1)
    drawn = [exact.draw(chance) / SECOND for _ in range(4_000)]

    modelled = Delays(text).draw(4_000, rng())

    assert np.median(modelled) == pytest.approx(np.median(drawn), rel=0.05)
    with pytest.raises(UsageError):
        Delays("quick")
