"""lashup follows the host's addresses: two agents on one wire, with real kernels."""

import pytest

from tests.navstar.daemons import Daemon, is_meshed, until

pytestmark = pytest.mark.kernel


def address(daemon: Daemon) -> str:
    """Where the daemon says that its lashup is."""
    return str(daemon.ask("status")["node"]["address"])


def change(daemon: Daemon, address: str, *, to: str) -> None:
    """The host has another address, and not the old one, from now on."""
    daemon.run(f"ip addr del {address}/24 dev under")
    daemon.run(f"ip addr add {to}/24 dev under")


def moved(daemon: Daemon) -> list[dict[str, object]]:
    return [line for line in daemon.log() if line["event"] == "lashup moved"]


def way_to_second(first: Daemon) -> str:
    return first.run("bridge fdb show dev vtep1024")


def test_peers_follow_an_address_that_lashup_was_bound_to(pair) -> None:
    first, second = pair
    pid = second.process.pid

    change(second, "10.78.0.2", to="10.78.0.102")
    until(lambda: way_to_second(first), lambda fdb: "dst 10.78.0.102" in fdb)

    assert address(second) == "10.78.0.102:7947"
    until(lambda: first.ask("status"), lambda s: is_meshed(s, 1))
    until(lambda: second.ask("status"), lambda s: is_meshed(s, 1))
    assert second.process.pid == pid
    assert [line["to"] for line in moved(second)] == [["10.78.0.102 port 7947"]]
    (told,) = [one for one in first.ask("members")["members"] if one["name"] == "a2"]
    assert told["addresses"] == ["10.78.0.102:7947"]
    assert told["liveness"] == "alive"


def test_an_address_that_is_back_is_moved_back_to(pair) -> None:
    first, second = pair
    change(second, "10.78.0.2", to="10.78.0.102")
    until(lambda: address(second), lambda found: found == "10.78.0.102:7947")

    change(second, "10.78.0.102", to="10.78.0.2")

    until(lambda: address(second), lambda found: found == "10.78.0.2:7947")
    until(lambda: way_to_second(first), lambda fdb: "dst 10.78.0.2 " in fdb)


def test_an_address_that_is_away_with_none_in_its_place_moves_nobody(pair) -> None:
    first, second = pair

    second.run("ip addr del 10.78.0.2/24 dev under")
    until(lambda: second.ask("status")["kernel"]["passes"], lambda n: n)
    second.run("ip addr add 10.78.0.2/24 dev under")

    until(lambda: first.ask("status"), lambda s: is_meshed(s, 1))
    assert address(second) == "10.78.0.2:7947"
    assert moved(second) == []


def test_a_reload_moves_lashup_to_where_the_configuration_says(pair) -> None:
    first, second = pair
    second.run("ip addr add 10.78.0.103/24 dev under")
    config = second.config.read_text()

    second.config.write_text(
        config.replace('["10.78.0.2:7947"]', '["10.78.0.103:7948"]')
    )
    second.hang_up()

    until(lambda: address(second), lambda found: found == "10.78.0.103:7948")
    until(lambda: first.ask("status"), lambda s: is_meshed(s, 1))


def test_a_reload_to_an_address_that_is_not_there_is_told_and_moves_nobody(
    pair,
) -> None:
    _, second = pair
    config = second.config.read_text()

    second.config.write_text(config.replace('["10.78.0.2:7947"]', '["10.79.0.1:7947"]'))
    second.hang_up()

    until(
        second.log,
        lambda lines: any(
            line["event"] == "lashup stays where it is" for line in lines
        ),
    )
    (told,) = [
        line for line in second.log() if line["event"] == "lashup stays where it is"
    ]
    assert "no interface of this host has 10.79.0.1" in str(told["why"])
    assert address(second) == "10.78.0.2:7947"


def test_lashup_follows_too_while_the_source_has_said_nothing(pair) -> None:
    _, second = pair
    second.end()
    (second.directory / "allocation2.toml").unlink()
    second.start()
    until(lambda: second.ask("status")["source"]["fault"])

    change(second, "10.78.0.2", to="10.78.0.102")

    until(lambda: address(second), lambda found: found == "10.78.0.102:7947")
