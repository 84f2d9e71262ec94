"""The commands as a user meets them: real processes, exit codes, no traceback."""

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest
import trio

from navstar.config import parse_config
from navstar.config_check import EXAMPLE
from navstar.control import Reply
from navstar.control_server import serve_control
from tests.navstar.daemons import ALLOCATION

CONFIG = """
[node]
name = "a1"
data_dir = "DIR/data"

[lashup]
bind = ["127.0.0.1:0"]

[source]
kind = "file"
path = "DIR/allocation.toml"

[overlay]
agent_ip = "10.0.0.1"

[control]
socket = "DIR/navstar.sock"
"""


def navstar(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "navstar", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        env={k: v for k, v in os.environ.items() if not k.startswith("NAVSTAR_")},
    )
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "navstar.toml"
    path.write_text(CONFIG.replace("DIR", str(tmp_path)))
    (tmp_path / "allocation.toml").write_text(ALLOCATION.format(number=1, block=1))
    return path


def test_help_names_every_command_and_the_exit_codes() -> None:
    shown = navstar("--help")

    assert shown.returncode == 0
    for word in (
        "run",
        "plan",
        "status",
        "members",
        "routes",
        "down",
        "config",
        "lab",
        "diff",
        "explain",
        "doctor",
        "forget",
    ):
        assert f"\n  {word} " in shown.stdout
    assert "Exit codes" in shown.stdout


COMMANDS = [
    *("run", "plan", "status", "members", "routes", "down", "up", "confirm"),
    *("diff", "explain", "doctor", "install", "forget"),
]


@pytest.mark.parametrize("command", [*COMMANDS, "config check", "config show-defaults"])
def test_the_help_of_each_command_teaches_by_an_example(command: str) -> None:
    shown = navstar(*command.split(), "--help")

    assert shown.returncode == 0
    assert f"Example: navstar {command}" in shown.stdout
    assert "--json" in shown.stdout


@pytest.mark.parametrize("arguments", [["statsu"], ["status", "--nope"], ["down", "x"]])
def test_what_is_not_understood_exits_2(arguments: list[str]) -> None:
    assert navstar(*arguments).returncode == 2


@pytest.mark.parametrize(
    "command", ["status", "plan", "members", "routes", "up", "diff"]
)
def test_without_a_daemon_the_commands_say_what_to_do(config: Path, command) -> None:
    asked = navstar(command, "--config", config)

    assert asked.returncode == 1
    assert "navstar run --config" in asked.stderr
    assert asked.stdout == ""


def test_without_a_daemon_the_doctor_goes_by_the_configuration(config: Path) -> None:
    asked = navstar("doctor", "--config", config, "--json")

    answer = json.loads(asked.stdout)
    assert not answer["daemon"]
    assert answer["configuration"] == str(config)
    assert answer["vteps"] == ["vtep1024"]


def test_leaving_needs_the_daemon(config: Path) -> None:
    assert navstar("down", "--leave", "--config", config).returncode == 1


def test_a_right_configuration_is_all_right(config: Path) -> None:
    checked = navstar("config", "check", "--config", config)

    assert checked.returncode == 0
    assert "all right" in checked.stdout


def test_on_loopback_alone_the_agents_address_must_be_named(config: Path) -> None:
    config.write_text(config.read_text().replace('agent_ip = "10.0.0.1"', ""))

    checked = navstar("config", "check", "--config", config)

    assert checked.returncode == 1
    assert "overlay.agent_ip: is missing" in checked.stdout


def test_every_problem_of_configuration_and_allocation_is_named(
    config: Path, tmp_path: Path
) -> None:
    config.write_text(
        config.read_text().replace("[source]", 'key_files = ["DIR/key"]\n[source]')
    )
    (tmp_path / "allocation.toml").write_text("overlay = 3")

    checked = navstar("config", "check", "--config", config, "--json")

    problems = json.loads(checked.stdout)["problems"]
    assert checked.returncode == 1
    assert any("lashup.key_files[0]" in problem for problem in problems)
    assert any("allocation.toml: overlay" in problem for problem in problems)


def test_a_missing_key_does_not_hide_what_the_source_lacks(config: Path) -> None:
    text = config.read_text()
    before, _, rest = text.partition("[source]")
    _, _, after = rest.partition("\n[")
    source = '[source]\nkind = "agent-http"\ntoken_file = "DIR/token"\n'
    config.write_text(f'{before}key_files = ["DIR/key"]\n{source}\n[{after}')

    checked = navstar("config", "check", "--config", config, "--json")

    problems = json.loads(checked.stdout)["problems"]
    assert any("lashup.key_files[0]" in problem for problem in problems)
    assert any("source.token_file" in problem for problem in problems)


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("[node]", "[nodes]", "node: is missing"),
        ("127.0.0.1:0", "127.0.0.1", "lashup.bind[0]"),
        ("127.0.0.1:0", "192.0.2.1:1", "key_files"),
        ("DIR/navstar.sock", "DIR", "control.socket"),
        ("DIR/navstar.sock", "DIR/allocation.toml", "control.socket"),
        ("DIR/data", "DIR/allocation.toml", "node.data_dir"),
    ],
)
def test_a_daemon_with_a_wrong_configuration_says_so_and_ends(
    config: Path, before: str, after: str, says: str
) -> None:
    here = str(config.parent)
    before, after = before.replace("DIR", here), after.replace("DIR", here)
    config.write_text(config.read_text().replace(f'"{before}"', f'"{after}"', 1))
    if before.startswith("["):
        config.write_text(config.read_text().replace(before, after))

    checked = navstar("config", "check", "--config", config)
    ended = navstar("run", "--config", config)

    assert checked.returncode == 1
    assert says in checked.stdout
    assert not (config.parent / "data").exists()

    assert ended.returncode == 1
    assert says in ended.stderr


def test_the_defaults_that_are_shown_are_a_configuration() -> None:
    shown = navstar("config", "show-defaults")

    assert shown.stdout.strip() == EXAMPLE.strip()
    parsed = parse_config(tomllib.loads(shown.stdout))
    plain = parse_config(
        {
            "node": {"name": "a1"},
            "lashup": {
                "bind": ["10.0.0.1:7947"],
                "seeds": ["10.0.0.2:7947"],
                "key_files": ["/etc/navstar/key"],
            },
            "source": {"kind": "file", "path": "/etc/navstar/allocation.toml"},
        }
    )
    assert parsed == plain


class Canned:
    """A daemon that answers everything with one reply."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply

    async def answer(self, command: str, arguments: Mapping[str, object]) -> Reply:
        return self.reply

    def after_reply(self, reply: Reply) -> None:
        pass


async def test_a_plan_with_something_to_do_exits_1(config: Path, nursery) -> None:
    op = {"op": "put", "text": "put route [bold]9.0.3.0/24[/]", "row": {}}
    plan = {"ops": [op], "puts": 1, "deletes": 0, "held": [], "reason": None}
    socket = config.parent / "navstar.sock"
    await nursery.start(serve_control, socket, Canned({**plan, "in_the_way": []}))

    asked = await trio.to_thread.run_sync(navstar, "plan", "--config", config)
    as_json = await trio.to_thread.run_sync(
        navstar, "plan", "--socket", socket, "--json"
    )

    assert (asked.returncode, as_json.returncode) == (1, 1)
    # Text from the cluster is text, and no markup.
    assert asked.stdout == "put route [bold]9.0.3.0/24[/]\n"
    assert json.loads(as_json.stdout)["ops"] == [op]


@pytest.mark.parametrize("command", ["status", "plan", "explain 9.0.0.1", "up"])
def test_a_failure_is_an_object_for_scripts_and_text_for_people(
    config: Path, command: str
) -> None:
    asked = navstar(*command.split(), "--config", config, "--json")

    assert asked.returncode == 1
    assert "no navstar is running" in json.loads(asked.stdout)["error"]
    assert "no navstar is running" in asked.stderr


def test_the_help_of_run_tells_what_json_means_there() -> None:
    assert "Log lines on stderr are JSON" in navstar("run", "--help").stdout


def test_the_version_is_told() -> None:
    shown = navstar("--version")

    assert shown.returncode == 0
    assert shown.stdout.startswith("navstar 0.")


def test_an_empty_socket_is_not_understood() -> None:
    assert navstar("status", "--socket", "").returncode == 2
