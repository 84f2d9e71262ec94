"""The daemon's configuration: one TOML file, checked as a whole.

Every problem is found in one go and named by the path of its field, as in
`lashup.bind[0]`. The defaults are here, beside their units and reasons;
`navstar config show-defaults` prints them.
"""

from __future__ import annotations

import base64
import binascii
import os
import tomllib
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from navstar.errors import Problem, Unusable
from navstar.fields import (
    AgentIp,
    Duration,
    HostPort,
    PeerPort,
    Port,
    Printable,
    Section,
    problems_of,
)

DEFAULT_CONFIG = Path("/etc/navstar/navstar.toml")
DEFAULT_SOCKET = Path("/run/navstar/navstar.sock")
DEFAULT_DATA_DIR = Path("/var/lib/navstar")

#: A lashup key: AES-256.
KEY_BYTES = 32


def _path(value: object) -> Path:
    if isinstance(value, Path):
        return value
    if not isinstance(value, str) or not value:
        raise ValueError("should be the path of a file")
    return Path(value)


def _one_or_more(value: object) -> object:
    """A single text may stand for a list of one; TOML has lists, not tuples."""
    match value:
        case str():
            return (value,)
        case list():
            return tuple(value)
        case _:
            return value


FilePath: TypeAlias = Annotated[Path, BeforeValidator(_path)]
Several = BeforeValidator(_one_or_more)


class NodeSection(Section):
    """Who this agent is."""

    name: Annotated[str, Field(min_length=1, max_length=64), Printable]
    data_dir: FilePath = DEFAULT_DATA_DIR


class LashupSection(Section):
    """How the agents reach each other."""

    bind: Annotated[tuple[HostPort, ...], Several, Field(min_length=1)]
    #: What others are told to send to, where that is not what is bound.
    advertise: Annotated[tuple[PeerPort, ...], Several] = ()
    seeds: Annotated[tuple[PeerPort, ...], Several] = ()
    cluster: Annotated[str, Field(min_length=1, max_length=64)] = "navstar"
    key_files: Annotated[tuple[FilePath, ...], Several] = ()

    @model_validator(mode="after")
    def _advertise_wildcard(self) -> Self:
        for host, _ in self.bind:
            if ip_address(host).is_unspecified and not self.advertise:
                raise ValueError(
                    f"needs advertise, because {host} is every address of this host: "
                    "others must be told where to send"
                )
        return self

    @model_validator(mode="after")
    def _keys_off_loopback(self) -> Self:
        public = [host for host, _ in self.bind if not ip_address(host).is_loopback]
        if public and not self.key_files:
            raise ValueError(
                f"needs key_files, because {public[0]} is not a loopback address: "
                "without a key anybody who reaches the port could write routes"
            )
        return self


class FileSource(Section):
    """The allocation stands in a TOML or JSON file."""

    kind: Literal["file"]
    path: FilePath
    #: Seconds between looks; a change counts when another look soon after agrees.
    poll_period: Duration = 1.0


class TlsSection(Section):
    """TLS towards the agent's endpoint; its presence turns https on."""

    #: Authorities to trust, PEM; else the system's. Python 3.13 is strict (RFC 5280).
    ca: FilePath | None = None
    #: Shown to the endpoint, PEM, with what leads up to the authority.
    cert: FilePath | None = None
    #: Of cert; else it is in the same file.
    key: FilePath | None = None

    @model_validator(mode="after")
    def _pair(self) -> Self:
        if self.key is not None and self.cert is None:
            raise ValueError("has a key but no cert")
        return self


class AgentHttpSource(Section):
    """The allocation comes from the DC/OS agent module's endpoint."""

    kind: Literal["agent-http"]
    #: The whole URL; without it, host, port and tls make it.
    url: str | None = None
    host: str = "127.0.0.1"
    #: Default by role: 5051 on an agent, 5050 on a master.
    port: Port | None = None
    role: Literal["agent", "master"] = "agent"
    #: Sent as `Authorization: token=...`; else token_file, else $SERVICE_AUTH_TOKEN.
    token: str | None = None
    token_file: FilePath | None = None
    tls: TlsSection | None = None
    #: Seconds between polls. Errors are retried sooner, from 1 s up to this.
    poll_period: Duration = 30.0
    #: Seconds for the whole exchange, as in the original.
    timeout: Duration = 30.0
    #: Seconds to connect, TLS included, as in the original.
    connect_timeout: Duration = 5.0

    @model_validator(mode="after")
    def _url(self) -> Self:
        if self.url and not self.url.startswith(("http://", "https://")):
            raise ValueError(f"url should start with http:// or https://: {self.url!r}")
        return self


SourceSection: TypeAlias = Annotated[
    FileSource | AgentHttpSource, Field(discriminator="kind")
]


class OverlaySection(Section):
    """How the overlays are laid into this host."""

    #: The underlay address; default: the source's, else the one towards a seed.
    agent_ip: AgentIp | None = None
    #: Below the kernel's main (32766), so that table 42 is asked first.
    rule_priority: Annotated[int, Field(ge=1, le=32765)] = 32000
    #: DC/OS's number. 253 to 255 are the kernel's own.
    table: Annotated[int, Field(ge=1, le=252)] = 42
    enable_ipv6: bool = True


class ReconcileSection(Section):
    """When the kernel is brought to what it should be. Durations in seconds."""

    audit_period: Duration = 10.0
    #: From the first change of the table to the pass that takes all of them in.
    coalesce: Duration = 0.02
    #: The same for changes that the kernel tells of; a fifth of it if no more come.
    kernel_coalesce: Duration = 0.05
    #: Share of the remote agents that may go within `brake_delay`, above 10 agents.
    max_withdrawal: Annotated[float, Field(gt=0, le=1, strict=False)] = 0.3
    #: What would withdraw more is held this long, and looked at again.
    brake_delay: Duration = 30.0
    #: Then it goes on by itself ("delay") or waits for `navstar confirm` ("ask").
    brake: Literal["delay", "ask"] = "delay"
    #: A node that has no seeds and no peers deletes nothing for so long; nor does one
    #: whose peers know no more of the table than itself (all lost their disks).
    grace: Duration = 30.0
    #: The lines of an agent that is dead so long are taken back; 0: they stay until
    #: `navstar forget`. Its containers may live, so let it be hours.
    lease: Annotated[float, Field(ge=0, strict=False)] = 0.0


class ControlSection(Section):
    """The socket for `navstar status` and the other commands; mode 0600."""

    socket: FilePath = DEFAULT_SOCKET


class LogSection(Section):
    """Where decisions are written: standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["console", "json"] = "console"


class Config(Section):
    """The whole file."""

    node: NodeSection
    lashup: LashupSection
    source: SourceSection
    overlay: OverlaySection = OverlaySection()
    reconcile: ReconcileSection = ReconcileSection()
    control: ControlSection = ControlSection()
    log: LogSection = LogSection()


_SECTIONS = (
    Config,
    NodeSection,
    LashupSection,
    FileSource,
    AgentHttpSource,
    TlsSection,
    OverlaySection,
    ReconcileSection,
    ControlSection,
    LogSection,
)


def load_config(path: Path) -> Config:
    """Read and check a configuration file; key files are not opened.

    Raises:
        Unusable: With every problem.
    """
    try:
        return parse_config(tomllib.loads(path.read_text("utf-8")))
    except OSError as error:
        problem = Problem("", f"cannot be read: {error.strerror}")
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        problem = Problem("", f"is not TOML: {error}")
    except ValidationError as error:
        problems = problems_of(error, sections=_SECTIONS, tags=("file", "agent-http"))
        raise Unusable(str(path), problems) from None
    raise Unusable(str(path), [problem])


def parse_config(table: dict[str, Any]) -> Config:
    """Check a parsed file.

    Raises:
        pydantic.ValidationError: With every problem.
    """
    return Config.model_validate(table)


def load_keys(config: Config) -> tuple[bytes, ...]:
    """Read the keys, in the order in which they are to be tried.

    Raises:
        Unusable: With every file that cannot be read or holds no key.
    """
    keys: list[bytes] = []
    problems: list[Problem] = []
    for number, path in enumerate(config.lashup.key_files):
        field = f"lashup.key_files[{number}]"
        try:
            key = parse_key(path.read_bytes())
            if key in keys:
                raise ValueError("holds the same key as an earlier one; drop one")
            keys.append(key)
        except OSError as error:
            problems.append(Problem(field, f"{path}: {os.strerror(error.errno or 0)}"))
        except ValueError as error:
            problems.append(Problem(field, f"{path}: {error}"))
    if problems:
        raise Unusable("key files", problems)
    return tuple(keys)


def parse_key(content: bytes) -> bytes:
    """Take 32 bytes as they are, in hexadecimal, or in base64.

    Raises:
        ValueError: It is none of them. The message does not show the content.
    """
    if len(content) == KEY_BYTES:
        return content
    text = content.strip()
    for decode in (binascii.unhexlify, _base64):
        try:
            key = decode(text)
        except ValueError:
            continue
        if len(key) == KEY_BYTES:
            return key
    raise ValueError(
        f"should hold {KEY_BYTES} bytes, in hexadecimal, in base64 or as they are "
        "(openssl rand -hex 32 makes them)"
    )


def _base64(text: bytes) -> bytes:
    return base64.b64decode(text, validate=True)
