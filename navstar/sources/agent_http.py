"""The allocation from the DC/OS agent module: `GET /overlay-agent/overlay`.

The JSON is that of the Mesos overlay modules; fields that are not used here may
come and go. An overlay counts with `backend.vxlan` and `state.status` of
`STATUS_OK`. Any other one is reported and taken up when it becomes OK; if it was
OK before, it stays as it was, because a master that fails over clears the status
of networks that go on carrying traffic. "Before" reaches beyond a restart of the
daemon: see `kept_overlays`.

Source: Mesos overlay modules, `messages.proto`; dcos-net, `dcos_overlay_poller`.
"""

from __future__ import annotations

import json
import os
import random
import ssl
from collections.abc import Mapping
from pathlib import Path

import trio

from navstar.config import AgentHttpSource as AgentHttpSection
from navstar.errors import Problem, Unusable
from navstar.sources import Fault, Reading, Tally
from navstar.sources.agent_answer import Answer, read_answer, read_kept
from navstar.sources.http_get import HttpFault, Limits, http_get
from navstar.sources.kept_overlays import load_items, save_items

PATH = "/overlay-agent/overlay"
DEFAULT_PORT = {"agent": 5051, "master": 5050}

#: Seconds to the first retry after an error; doubles up to the poll period.
FIRST_RETRY = 1.0


class AgentHttpSource:
    """Polls the endpoint; errors back off, and every delay is jittered."""

    def __init__(
        self,
        section: AgentHttpSection,
        *,
        kept: Path,
        user_agent: str,
        rng: random.Random,
    ) -> None:
        """Read token and certificates.

        Args:
            section: As configured.
            kept: File for what is kept across restarts; its directory must be there
                when the source runs.
            user_agent: The original sends `navstar@IP (pid N)`.
            rng: For the jitter.

        Raises:
            Unusable: A file for the token or TLS cannot be used.
        """
        self.origin = url_of(section)
        self.tally = Tally()
        self._headers = _headers(section, user_agent)
        self._tls = _tls_context(section) if self.origin.startswith("https") else None
        self._limits = Limits(connect=section.connect_timeout, total=section.timeout)
        self._poll_period = section.poll_period
        self._rng = rng
        self._kept = kept
        #: None if it is not known what the file holds.
        self._saved: list[object] | None = None

    async def run(self, readings: trio.MemorySendChannel[Reading]) -> None:
        """Send what the endpoint says whenever that changes, until cancelled."""
        news: list[Reading]
        sent: list[Reading] = []
        answer = Answer()
        try:
            self._saved = saved = load_items(self._kept)
            answer = read_kept(saved)
        except Unusable as error:
            await readings.send(Fault(str(error)))
        retry = FIRST_RETRY
        while True:
            try:
                answer = read_answer(await self._poll(), before=answer)
                news = [answer.allocation, *await self._keep(answer)]
                delay, retry = self._poll_period, FIRST_RETRY
            except (HttpFault, ValueError, RecursionError) as error:
                self.tally.failed += 1
                news = [Fault(f"{self.origin}: {error}")]
                delay = min(retry, self._poll_period)
                retry *= 2
            if news != sent:
                for reading in news:
                    await readings.send(reading)
                sent = news
            # A tenth of jitter: agents that started together drift apart.
            await trio.sleep(delay * self._rng.uniform(0.9, 1.1))

    async def _keep(self, answer: Answer) -> list[Fault]:
        """Have on disk what the overlays in force were listed as."""
        items = list(answer.kept.values())
        if items == self._saved:
            return []
        try:
            await trio.to_thread.run_sync(save_items, self._kept, items)
        except Unusable as error:
            return [Fault(str(error))]
        self._saved = items
        return []

    async def _poll(self) -> object:
        began = trio.current_time()
        try:
            body = await http_get(
                self.origin, self._headers, limits=self._limits, tls=self._tls
            )
        finally:
            self.tally.note(trio.current_time() - began)
        return json.loads(body)


def url_of(section: AgentHttpSection) -> str:
    """The address to poll: the one configured, or the original's for the role."""
    if section.url is not None:
        scheme, _, rest = section.url.partition("://")
        return section.url if "/" in rest else f"{scheme}://{rest}{PATH}"
    scheme = "http" if section.tls is None else "https"
    host = f"[{section.host}]" if ":" in section.host else section.host
    return f"{scheme}://{host}:{section.port or DEFAULT_PORT[section.role]}{PATH}"


def _headers(section: AgentHttpSection, user_agent: str) -> Mapping[str, str]:
    headers = {"Accept": "application/json", "User-Agent": user_agent}
    token = _token(section)
    if token:
        headers["Authorization"] = f"token={token}"
    return headers


def _token(section: AgentHttpSection) -> str | None:
    if section.token is not None:
        return section.token
    if section.token_file is None:
        return os.environ.get("SERVICE_AUTH_TOKEN")
    try:
        token = section.token_file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        problem = Problem("source.token_file", f"cannot be read: {error}")
        raise Unusable("configuration", [problem]) from None
    if not token.isascii() or not token.isprintable():
        # It would end, or break, the header.
        problem = Problem("source.token_file", "should hold one line of ASCII text")
        raise Unusable("configuration", [problem])
    return token


def _tls_context(section: AgentHttpSection) -> ssl.SSLContext:
    tls = section.tls
    try:
        cafile = tls.ca if tls is not None else None
        context = ssl.create_default_context(cafile=cafile)
        if tls is not None and tls.cert is not None:
            context.load_cert_chain(tls.cert, tls.key)
    except OSError as error:
        problem = Problem("source.tls", f"a file cannot be used: {error}")
        raise Unusable("configuration", [problem]) from None
    return context
