"""A daemon that is started anew while the agent module has little to say.

Real daemons and kernels; the module is an HTTP server in the agent's namespace.
"""

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.navstar.daemons import Daemon, is_meshed, start, two_agents, until

pytestmark = pytest.mark.kernel

#: Answers each request with what the file holds then.
SERVER = """
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Module(BaseHTTPRequestHandler):
    def do_GET(self):
        with open(sys.argv[1], "rb") as file:
            body = file.read()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass

server = HTTPServer(("127.0.0.1", 5051), Module)
print("serving", flush=True)
server.serve_forever()
"""

OVERLAY: dict[str, Any] = {
    "info": {"name": "dcos", "subnet": "9.0.0.0/8", "subnet6": "fd01:b::/64"},
    "subnet": "9.0.1.0/24",
    "subnet6": "fd01:b:0:0:1::/80",
    "backend": {
        "vxlan": {
            "vni": 1024,
            "vtep_name": "vtep1024",
            "vtep_ip": "44.128.0.1/20",
            "vtep_ip6": "fd01:a::1/64",
            "vtep_mac": "70:b3:d5:80:00:01",
        }
    },
    "state": {"status": "STATUS_OK"},
}
OK = {"ip": "10.78.0.1", "overlays": [OVERLAY]}
CONFIGURING = {
    "ip": "10.78.0.1",
    "overlays": [OVERLAY | {"state": {"status": "STATUS_CONFIGURING"}}],
}


def answer(agent: Daemon, document: object) -> None:
    """Let the agent's module answer so from now on."""
    new = agent.directory / "answer.new"
    new.write_text(json.dumps(document))
    new.rename(agent.directory / "answer.json")


@contextmanager
def agent_module(agent: Daemon) -> Iterator[None]:
    """The module, and the agent's configuration to ask it."""
    answer(agent, OK)
    before, _, rest = agent.config.read_text().partition("[source]")
    _, _, after = rest.partition("[reconcile]")
    source = '[source]\nkind = "agent-http"\npoll_period = 0.05\n'
    agent.config.write_text(f"{before}{source}\n[reconcile]{after}")
    server = agent.start_python(SERVER, str(agent.directory / "answer.json"))
    try:
        yield
    finally:
        server.kill()
        server.communicate()


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Daemon, Daemon]]:
    """Both agents at rest; the first has its allocation from the module."""
    with two_agents(tmp_path) as agents, agent_module(agents[0]):
        start(*agents)
        yield agents


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_restart_in_a_failover_writes_nothing_and_withdraws_nothing(
    pair, how
) -> None:
    first, second = pair
    before = first.kernel()
    written = second.ask("status")["kernel"]["writes"]
    first.end(how)
    answer(first, CONFIGURING)

    first.start()
    status = until(lambda: first.ask("status"), lambda s: is_meshed(s, 1))

    assert status["kernel"]["writes"] == 0
    assert "STATUS_CONFIGURING; kept as it was" in status["skipped"][0]
    assert first.kernel() == before
    unchanged_at(second, written)


@pytest.mark.parametrize("document", [{}, {"overlays": []}])
def test_a_module_that_starts_together_with_the_daemon_takes_nothing_away(
    pair, document
) -> None:
    first, second = pair
    before = first.kernel()
    written = second.ask("status")["kernel"]["writes"]
    first.end()
    answer(first, document)

    first.start()
    status = until(
        lambda: first.ask("status"),
        lambda s: s["kv_synchronised"] and s["source"]["fault"],
    )

    assert "navstar down --leave" in status["source"]["fault"]
    assert status["kernel"]["writes"] == 0
    assert first.kernel() == before
    answer(first, OK)
    status = until(lambda: first.ask("status"), lambda s: is_meshed(s, 1))
    assert status["kernel"]["writes"] == 0
    unchanged_at(second, written)


def test_without_what_was_kept_a_failover_takes_nothing_away_either(pair) -> None:
    first, second = pair
    before = first.kernel()
    written = second.ask("status")["kernel"]["writes"]
    first.end()
    (first.directory / "data1" / "agent-overlays.json").write_text("{")
    answer(first, CONFIGURING)

    first.start()
    status = until(
        lambda: first.ask("status"),
        lambda s: s["kv_synchronised"] and "yet" in str(s["source"]["fault"]),
    )

    assert status["kernel"]["writes"] == 0
    assert first.kernel() == before
    assert any("is damaged" in str(line.get("what")) for line in first.log())
    unchanged_at(second, written)


def unchanged_at(agent: Daemon, written: int) -> None:
    """Make sure that an agent heard of no line that changed."""
    status = agent.ask("status")
    assert status["kernel"]["writes"] == written
    assert status["lines"] == 4
