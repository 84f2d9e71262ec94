import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from navstar.config import AgentHttpSource, FileSource, load_config, load_keys
from navstar.config_check import find_problems
from navstar.errors import Unusable

KEY = bytes(range(32))
WHOLE = """
[node]
name = "a1"
data_dir = "/var/lib/a1"

[lashup]
bind = ["10.0.0.1:7947", "[fd00::1]:7947"]
seeds = "10.0.0.2:7947"
cluster = "prod"
key_files = ["KEY"]

[source]
kind = "file"
path = "/etc/navstar/allocation.toml"

[overlay]
agent_ip = "10.0.0.1"

[reconcile]
audit_period = 5
"""


@pytest.fixture
def written(tmp_path: Path):
    def write(text: str) -> Path:
        path = tmp_path / "navstar.toml"
        path.write_text(text.replace("KEY", str(tmp_path / "key")))
        return path

    return write


def problems(path: Path) -> list[str]:
    with pytest.raises(Unusable) as caught:
        load_config(path)
    return [str(problem) for problem in caught.value.problems]


def test_a_whole_file_is_taken_with_defaults_for_the_rest(written) -> None:
    config = load_config(written(WHOLE))

    assert config.lashup.bind == (("10.0.0.1", 7947), ("fd00::1", 7947))
    assert config.lashup.seeds == (("10.0.0.2", 7947),)
    assert isinstance(config.source, FileSource)
    assert config.reconcile.audit_period == 5.0
    assert config.overlay.table == 42
    assert config.control.socket == Path("/run/navstar/navstar.sock")


def test_every_problem_is_named_by_its_path_at_once(written) -> None:
    broken = (
        WHOLE.replace("10.0.0.1:7947", "10.0.0.1")
        .replace("[fd00::1]:7947", "[fd00::1]:99999")
        .replace("audit_period = 5", "audit_period = -1\ncoalesc = 1")
        .replace('kind = "file"', 'kind = "file"\nperiod = 3')
        .replace('name = "a1"', "")
    )

    found = "\n".join(problems(written(broken)))

    for field in (
        "node.name: is missing",
        "lashup.bind[0]: should have a port",
        "lashup.bind[1]: should have a port from 0 to 65535, not",
        "source.period: is not a known field",
        "reconcile.audit_period: should be greater than 0, not -1",
        "reconcile.coalesc: is not a known field (is 'coalesce' meant?)",
    ):
        assert field in found


def test_an_unknown_kind_of_source_is_told_the_known_ones(written) -> None:
    assert problems(written(WHOLE.replace('"file"', '"etcd"'))) == [
        "source.kind: should be one of 'file', 'agent-http'"
    ]


def test_without_a_key_only_loopback_may_be_bound(written) -> None:
    keyless = WHOLE.replace('key_files = ["KEY"]', "")

    (problem,) = problems(written(keyless))

    assert problem.startswith("lashup: needs key_files")
    on_loopback = keyless.replace("10.0.0.1:", "127.0.0.1:").replace("fd00::1", "::1")
    assert load_config(written(on_loopback)).lashup.key_files == ()


def test_a_seed_has_a_port_that_can_be_sent_to(written) -> None:
    (problem,) = problems(written(WHOLE.replace("10.0.0.2:7947", "10.0.0.2:0")))

    assert problem.startswith("lashup.seeds[0]")


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "224.0.0.1"])
def test_an_agent_address_that_no_packet_goes_to_is_refused(written, address) -> None:
    text = WHOLE.replace('agent_ip = "10.0.0.1"', f'agent_ip = "{address}"')

    (problem,) = problems(written(text))

    assert problem.startswith("overlay.agent_ip: ")
    assert "other hosts" in problem


def test_a_name_that_a_terminal_would_obey_is_refused(written) -> None:
    text = WHOLE.replace('name = "a1"', 'name = "a\\u001b[2J"')

    (problem,) = problems(written(text))

    assert problem.startswith("node.name: should be printable")


@pytest.mark.parametrize("text", ["[node", "a = ", "\x00", "\ud800"])
def test_what_is_not_toml_is_said_to_be_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "navstar.toml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))

    (problem,) = problems(path)

    assert problem.startswith("is not TOML")


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    assert problems(tmp_path / "none.toml") == [
        "cannot be read: No such file or directory"
    ]


@given(st.text())
def test_no_text_raises_anything_but_the_list_of_problems(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))

    with pytest.raises(Unusable):
        load_config(path)


def test_the_agent_endpoint_has_the_originals_defaults(written) -> None:
    section = '[source]\nkind = "agent-http"\n'
    text = WHOLE.partition("[source]")[0] + section

    source = load_config(written(text)).source

    assert isinstance(source, AgentHttpSource)
    assert (source.timeout, source.connect_timeout, source.poll_period) == (30, 5, 30)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(KEY, id="raw"),
        pytest.param(KEY.hex().encode() + b"\n", id="hexadecimal"),
        pytest.param(base64.b64encode(KEY) + b"\n", id="base64"),
    ],
)
def test_a_key_may_be_written_in_three_ways(written, tmp_path: Path, content) -> None:
    (tmp_path / "key").write_bytes(content)

    assert load_keys(load_config(written(WHOLE))) == (KEY,)


def test_a_file_that_holds_no_key_is_named_and_not_shown(written, tmp_path) -> None:
    (tmp_path / "key").write_bytes(b"secret")

    with pytest.raises(Unusable) as caught:
        load_keys(load_config(written(WHOLE)))

    assert "lashup.key_files[0]" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_missing_key_file_is_named(written) -> None:
    with pytest.raises(Unusable, match=r"key_files\[0\].*No such file"):
        load_keys(load_config(written(WHOLE)))


def test_the_same_key_in_two_files_is_named(written, tmp_path) -> None:
    for name in ("key", "key2"):
        (tmp_path / name).write_bytes(KEY)
    text = WHOLE.replace('["KEY"]', f'["KEY", "{tmp_path}/key2"]')
    config = load_config(written(text))

    with pytest.raises(Unusable, match=r"lashup.key_files\[1\].*same key"):
        load_keys(config)


def test_a_problem_behind_the_file_is_named_by_the_file(written) -> None:
    path = written(WHOLE.replace("KEY", "/nowhere/key"))

    first, *_ = find_problems(path)

    assert first.field == f"{path}: lashup.key_files[0]"


@pytest.mark.parametrize(
    ("line", "instead", "said"),
    [
        ('cluster = "prod"', 'cluster = ""', "lashup.cluster: should not be empty"),
        ('bind = ["10.0.0.1:7947", "[fd00::1]:7947"]', "bind = []",
         "lashup.bind: should name one at least"),
        ('seeds = "10.0.0.2:7947"', "seeds = 5",
         "lashup.seeds: should be a list, not 5"),
        ('name = "a1"', f'name = "{"x" * 65}"',
         "node.name: should have at most 64 characters"),
        ('seeds = "10.0.0.2:7947"', 'seeds = "h:1"',
         "lashup.seeds[0]: should have an IP address, as in \"10.0.0.1:7947\","),
    ],
)  # fmt: skip
def test_problems_are_said_in_words_of_the_file(written, line, instead, said) -> None:
    assert line in WHOLE
    (problem,) = problems(written(WHOLE.replace(line, instead)))

    assert problem.startswith(said)
    assert "not 'h'" not in problem
