"""Faults of the agent module's endpoint. The struck agent has its overlays from it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias

from benchmarks.faults.fault import (
    Fault,
    is_right,
    peer_of,
    run,
    status_of,
    until,
    victim_of,
)
from navstar.lab import agents, namespaces
from navstar.lab.laboratory import Lab, open_lab
from navstar.lab.topology import OVERLAY_SUBNET6, Agent, Topology

#: Seconds between polls of the struck agent.
_POLL_PERIOD = 0.2
#: How long the daemon waits for an answer.
_TIMEOUT = 1.0
#: How long the endpoint stays as bad as it is.
_BAD_FOR = 1.0

_Respond: TypeAlias = Callable[[BaseHTTPRequestHandler], None]


def _answer_of(agent: Agent) -> dict[str, Any]:
    """What the agent module would say of an agent of the lab."""
    overlay, vtep = agent.overlay, agent.overlay.vtep
    backend = {
        "vxlan": {
            "vni": vtep.vni,
            "vtep_name": vtep.name,
            "vtep_ip": str(vtep.address),
            "vtep_ip6": str(vtep.address6),
            "vtep_mac": vtep.mac,
            "vtep_mtu": vtep.mtu,
        }
    }
    return {
        "ip": str(agent.underlay.ip),
        "overlays": [
            {
                "info": {"name": "lab", "subnet": str(overlay.subnet), "prefix": 24},
                "subnet": str(overlay.block),
                "backend": backend,
                "state": {"status": "STATUS_OK"},
            },
            {
                "info": {
                    "name": "lab6",
                    "subnet6": str(overlay.subnet6),
                    "prefix6": 80,
                },
                "subnet6": str(overlay.block6),
                "backend": backend,
                "state": {"status": "STATUS_OK"},
            },
        ],
    }


class _Endpoint:
    """The endpoint, in the struck agent's namespace; one at a time."""

    def __init__(self) -> None:
        self.good: dict[str, Any] = {}
        self.respond: _Respond = self.well

    def well(self, handler: BaseHTTPRequestHandler) -> None:
        """As the agent module does."""
        say(handler, 200, json.dumps(self.good).encode())


_endpoint = _Endpoint()


def say(handler: BaseHTTPRequestHandler, status: int, body: bytes) -> None:
    """A whole answer."""
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        try:
            _endpoint.respond(self)
        except OSError:
            self.close_connection = True  # The daemon has given up.

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@contextmanager
def fed_pair(prefix: str) -> Iterator[Lab]:
    """Two agents; the second one asks an endpoint for its overlays."""
    with open_lab(Topology(prefix, size=2, containers=1)) as lab:
        lab.build()
        victim = victim_of(lab)
        server = namespaces.inside(
            victim.namespace,
            lambda: ThreadingHTTPServer(("127.0.0.1", 5051), _Handler),
        )
        server.daemon_threads = True
        _endpoint.good = _answer_of(victim)
        _endpoint.respond = _endpoint.well
        config = agents.directory(lab.record, victim) / "config.toml"
        head, _, rest = config.read_text().partition("[source]")
        _, _, tail = rest.partition("[overlay]")
        config.write_text(
            f"{head}[source]\nkind = 'agent-http'\npoll_period = {_POLL_PERIOD}\n"
            f"timeout = {_TIMEOUT}\n\n[overlay]{tail}"
        )
        thread = threading.Thread(target=server.serve_forever, name="endpoint")
        thread.start()
        try:
            lab.start_all()
            yield lab
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


def _while(respond: _Respond) -> Callable[[Lab], float]:
    """Let the endpoint answer so until it is reported, and some time on; then well."""

    def strike(lab: Lab) -> float:
        _endpoint.respond = respond
        until(lambda: bool(_complaint(lab)))
        time.sleep(_BAD_FOR)
        _endpoint.respond = _endpoint.well
        return time.monotonic()

    return strike


def _complaint(lab: Lab) -> str:
    status = status_of(lab, victim_of(lab))
    return str(status["source"]["fault"] or " ".join(status["skipped"]))


def _is_well(lab: Lab) -> bool:
    return not _complaint(lab) and is_right(lab)


def _hang_up(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True
    handler.connection.close()


def _dawdle(handler: BaseHTTPRequestHandler) -> None:
    """A byte now and then, so that no single read takes too long."""
    handler.send_response(200)
    handler.end_headers()
    for _ in range(50):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.1)


def _says(status: int, body: bytes) -> _Respond:
    return lambda handler: say(handler, status, body)


def _not_ok(handler: BaseHTTPRequestHandler) -> None:
    """Both overlays are there and carry traffic, and the master takes them back."""
    document = json.loads(json.dumps(_endpoint.good))
    for overlay in document["overlays"]:
        overlay["state"]["status"] = "STATUS_FAILED"
    say(handler, 200, json.dumps(document).encode())


def _disable_ipv6_overlay(lab: Lab) -> float:
    """The operator of the cluster turns one overlay off; the other one goes on."""
    document = json.loads(json.dumps(_endpoint.good))
    document["overlays"][1]["info"]["enabled"] = False
    began = time.monotonic()
    _endpoint.respond = _says(200, json.dumps(document).encode())
    return began


def _is_gone_everywhere(lab: Lab) -> bool:
    victim, peer = victim_of(lab), peer_of(lab)
    return (
        str(OVERLAY_SUBNET6) not in run(victim, "ip -6 rule")
        and str(victim.overlay.block6) not in run(peer, "ip -6 route")
        and is_right(lab, victim)
        and is_right(lab, peer)
    )


def _enable_again(lab: Lab) -> None:
    _endpoint.respond = _endpoint.well
    until(lambda: _is_well(lab))


def _fault(name: str, respond: _Respond) -> Fault:
    return Fault(
        f"agent endpoint: {name}",
        _while(respond),
        _is_well,
        within=5.0,
        can_lose=False,
        until="taken up again",
    )


ENDPOINT = (
    _fault("hangs up", _hang_up),
    _fault("slow", _dawdle),
    _fault("no JSON", _says(200, b"<html>busy</html>")),
    _fault("JSON of another form", _says(200, b'{"overlays": {"a": [1]}}')),
    _fault("status 503", _says(503, b"")),
    _fault("401, the token is not taken", _says(401, b"")),
    _fault("overlays disabled (STATUS_FAILED)", _not_ok),
    Fault("agent endpoint: an overlay is disabled for good (enabled = false)",
          _disable_ipv6_overlay, _is_gone_everywhere, can_lose=False,
          until="it is gone everywhere", mend=_enable_again, families=(4,)),
)  # fmt: skip
