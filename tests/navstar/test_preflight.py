"""What of the host is looked at before anything is started."""

import tomllib
from pathlib import Path

import pytest

from navstar.config import Config, parse_config
from navstar.preflight import host_problems, host_warnings, lacks_address

CONFIG = """
[node]
name = "a1"
data_dir = "DIR/data"

[lashup]
bind = ["127.0.0.1:0"]
key_files = ["DIR/key"]

[source]
kind = "file"
path = "DIR/allocation.toml"

[control]
socket = "DIR/navstar.sock"
"""


def written(directory: Path, before: str = "", after: str = "") -> Config:
    text = CONFIG.replace(before, after) if before else CONFIG
    return parse_config(tomllib.loads(text.replace("DIR", str(directory))))


@pytest.fixture(autouse=True)
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text("5a" * 32)
    path.chmod(0o600)
    return path


def test_a_fresh_host_is_fit(tmp_path: Path) -> None:
    config = written(tmp_path)

    assert list(host_problems(config)) == []
    assert list(host_warnings(config)) == []


def test_a_socket_path_that_the_kernel_does_not_take_is_refused(tmp_path: Path) -> None:
    (problem,) = host_problems(written(tmp_path, "navstar.sock", "x" * 110))

    assert problem.field == "control.socket"
    assert "at most 107" in problem.problem


@pytest.mark.parametrize("name", ["data", "key", "key/navstar.sock"])
def test_a_socket_where_something_else_is_is_refused(tmp_path: Path, name) -> None:
    (tmp_path / "data").mkdir()

    (problem,) = host_problems(written(tmp_path, "navstar.sock", name))

    assert problem.field == "control.socket"


def test_a_data_directory_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (problem,) = host_problems(written(tmp_path, "DIR/data", "DIR/key"))

    assert problem.field == "node.data_dir"


def test_a_key_that_others_can_read_is_warned_of(tmp_path: Path, key: Path) -> None:
    key.chmod(0o644)

    (warning,) = host_warnings(written(tmp_path))

    assert warning.field == "lashup.key_files[0]"
    assert f"chmod 600 {key}" in warning.problem


def test_of_a_relative_path_it_is_said_what_it_is_relative_to(tmp_path: Path) -> None:
    (warning,) = host_warnings(written(tmp_path, "DIR/data", "data"))

    assert warning.field == "node.data_dir"
    assert str(Path.cwd()) in warning.problem


@pytest.mark.parametrize(
    ("after", "lacks"),
    [
        ('bind = ["127.0.0.1:0"]', True),
        ('bind = ["127.0.0.1:0"]\nseeds = ["10.0.0.1:1"]', False),
        ('bind = ["10.0.0.1:1"]', False),
    ],
)
def test_on_loopback_nothing_tells_the_agents_address(tmp_path, after, lacks) -> None:
    config = written(tmp_path, 'bind = ["127.0.0.1:0"]', after)

    assert lacks_address(config) is lacks
