"""What an operator is told when something is wrong, by real daemons and kernels."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from navstar.errors import ControlError
from tests.navstar.daemons import ALLOCATION, Daemon, start, two_agents, until

pytestmark = pytest.mark.kernel


@pytest.fixture
def agents(tmp_path: Path) -> Iterator[tuple[Daemon, Daemon]]:
    with two_agents(tmp_path) as pair:
        yield pair


def test_a_foreign_device_in_the_way_is_wrong_until_it_is_gone(agents) -> None:
    first, second = agents
    first.run("ip link add vtep1024 type bridge")
    first.launch()
    second.start()
    status = until(lambda: first.ask("status"), lambda found: found["in_the_way"])

    plan = first.navstar("plan", "--config", str(first.config))
    shown = first.navstar("status", "--config", str(first.config))

    assert plan.returncode == 1
    assert "in the way: vtep1024" in plan.stdout
    assert "as it should be." not in plan.stdout.replace("not as it should be", "")
    assert shown.returncode == 1
    assert "1 foreign link in the way" in shown.stdout
    assert status["rows"]["missing"] > 0
    assert not status["ok"]

    first.run("ip link del vtep1024")
    until(lambda: first.ask("status"), lambda found: found["ok"])
    mended = first.navstar("status", "--config", str(first.config), "--json")
    assert mended.returncode == 0
    assert json.loads(mended.stdout)["problems"] == []


def test_a_vtep_that_a_foreign_device_keeps_from_its_numbers_goes_on(agents) -> None:
    start(*agents)
    first, _ = agents
    first.run("ip link add stranger type vxlan id 1030 dstport 64000 local 10.78.0.1")
    before = first.rows()
    text = ALLOCATION.format(number=1, block=1)
    first.allocate(text.replace("vni = 1024", "vni = 1030"))
    until(lambda: first.ask("status"), lambda found: found["in_the_way"])

    diff = first.navstar("diff", "--config", str(first.config))
    words = " ".join(diff.stdout.split())

    assert diff.returncode == 1
    assert "in the way: vtep1024: stranger has VNI 1030" in words
    assert "vtep1024 goes on with VNI 1024 and port 64000 until then" in words
    assert first.rows() == before

    first.run("ip link del stranger")
    until(lambda: first.ask("status"), lambda found: found["ok"])
    assert "vxlan id 1030" in first.run("ip -d link show vtep1024")


def test_leaving_is_asked_for_clearly_or_not_at_all(agents) -> None:
    start(*agents)
    first, _ = agents
    before = first.rows()

    with pytest.raises(ControlError, match="should be true or false, not 'yes'"):
        first.ask("down", leave="yes")

    assert first.rows() == before


def test_up_says_that_the_daemon_is_reconciling(agents) -> None:
    start(*agents)
    first, _ = agents
    first.navstar("down", "--config", str(first.config))

    went_down = first.navstar("status", "--config", str(first.config))
    up = first.navstar("up", "--config", str(first.config))

    assert went_down.returncode == 1
    assert "navstar up" in went_down.stdout
    assert up.stdout == "The daemon is reconciling.\n"


def test_datagrams_under_another_key_are_counted_logged_and_shown(agents) -> None:
    first, second = agents
    (first.directory / "other").write_text("77" * 32)
    text = second.config.read_text().replace('/key"', '/other"')
    second.config.write_text(text)
    first.start()
    second.start()

    until(
        lambda: first.ask("status")["refused_datagrams"],
        lambda refused: refused["unknown_key"] > 0,
    )
    (told, *_) = until(
        lambda: [one for one in first.log() if "did not open" in one["event"]]
    )
    shown = first.navstar("status", "--config", str(first.config))

    assert told["level"] == "warning"
    assert "unknown key" in shown.stdout


def test_who_comes_and_two_of_one_name_are_told(agents) -> None:
    first, second = agents
    second.config.write_text(
        second.config.read_text().replace('name = "a2"', 'name = "a1"')
    )
    first.start()
    second.start()

    (conflict,) = until(
        lambda: [
            one for one in first.ask("status")["conflicts"] if one.startswith("name")
        ]
    )
    events = {one["event"]: one["level"] for one in first.log()}

    assert "'a1'" in conflict
    assert events["member joined"] == "info"
    assert events["name conflict"] == "warning"
    assert first.navstar("status", "--config", str(first.config)).returncode == 1
