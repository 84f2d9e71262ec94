"""The types of the fields that files and answers are made of, and their errors.

Pydantic checks shape and types, and finds every problem in one go. Its messages
are turned into `Problem`s that name the field as the operator wrote it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Container, Iterable, Sequence
from ipaddress import (
    IPv4Interface,
    IPv4Network,
    IPv6Interface,
    IPv6Network,
    ip_address,
)
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)
from pydantic_core import ErrorDetails

from navstar.allocation import IpAddress
from navstar.errors import Problem

_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}", re.ASCII)


class Section(BaseModel):
    """A table of a file: values cannot change, a misspelt name is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def parse_host_port(text: object) -> tuple[str, int]:
    """Take `10.0.0.1:7947` or `[fd00::1]:7947` apart.

    Raises:
        ValueError: It is neither.
    """
    if isinstance(text, tuple):
        return text
    if not isinstance(text, str):
        raise ValueError('should be text like "10.0.0.1:7947" or "[fd00::1]:7947"')
    host, colon, port = text.rpartition(":")
    if not colon or (":" in host and not host.startswith("[")):
        raise ValueError('should have a port, as in "10.0.0.1:7947", "[fd00::1]:7947"')
    if not (port.isascii() and port.isdigit() and int(port) < 65536):
        raise ValueError("should have a port from 0 to 65535")
    bracketed = host.startswith("[") and host.endswith("]")
    try:
        return str(ip_address(host[1:-1] if bracketed else host)), int(port)
    except ValueError:
        example = 'as in "10.0.0.1:7947", "[fd00::1]:7947"'
        raise ValueError(f"should have an IP address, {example}") from None


def parse_mac(text: object) -> str:
    """Bring a unicast MAC address to lower case with colons.

    Raises:
        ValueError: It is not one.
    """
    lower = text.lower().replace("-", ":") if isinstance(text, str) else ""
    if not _MAC.fullmatch(lower):
        raise ValueError('should be a MAC address like "70:b3:d5:80:00:01"')
    if int(lower[:2], 16) & 1:
        raise ValueError("should be a unicast MAC address (first byte even)")
    if lower == "00:00:00:00:00:00":
        raise ValueError("should not be the zero MAC address")
    return lower


def _ip(value: object) -> IpAddress:
    try:
        return ip_address(value if isinstance(value, str) else repr(value))
    except ValueError:
        raise ValueError(f"{value!r} is not an IP address") from None


def _parsed(kind: type) -> BeforeValidator:
    """Text to one of the classes of `ipaddress`, whose messages say what is wrong."""

    def parse(value: object) -> object:
        if isinstance(value, kind):
            return value
        if not isinstance(value, str):
            raise ValueError("should be text")
        if "/" not in value:
            raise ValueError("should have a prefix length, as in 10.0.0.0/8")
        return kind(value)

    return BeforeValidator(parse)


def _reachable(address: tuple[str, int]) -> tuple[str, int]:
    if not address[1]:
        raise ValueError("should have a port from 1 to 65535")
    return address


def _of_a_host(address: IpAddress) -> IpAddress:
    unsent = address.is_loopback or address.is_multicast or address.is_unspecified
    if unsent or "%" in str(address):
        raise ValueError("should be an address that other hosts can send to")
    return address


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("should be printable, without control characters")
    return text


#: Something to bind: port 0 lets the kernel choose.
HostPort = Annotated[tuple[str, int], BeforeValidator(parse_host_port)]
#: Something to send to.
PeerPort = Annotated[HostPort, AfterValidator(_reachable)]
Mac = Annotated[str, BeforeValidator(parse_mac)]
Ip = Annotated[IpAddress, BeforeValidator(_ip)]
#: Where packets of other agents go. Peers drop a line with anything else.
AgentIp = Annotated[Ip, AfterValidator(_of_a_host)]
#: What is shown on terminals.
Printable = AfterValidator(_printable)
Network4 = Annotated[IPv4Network, _parsed(IPv4Network)]
Network6 = Annotated[IPv6Network, _parsed(IPv6Network)]
Interface4 = Annotated[IPv4Interface, _parsed(IPv4Interface)]
Interface6 = Annotated[IPv6Interface, _parsed(IPv6Interface)]
Vni = Annotated[int, Field(ge=1, le=2**24 - 1)]
Port = Annotated[int, Field(ge=1, le=65535)]
#: Seconds.
Duration = Annotated[float, Field(gt=0, le=86_400, strict=False)]


def problems_of(
    error: ValidationError,
    *,
    sections: Sequence[type[BaseModel]],
    tags: Container[str] = (),
) -> tuple[Problem, ...]:
    """Say in our words what pydantic found.

    Args:
        error: As caught.
        sections: The models of the file: a misspelt field is compared with theirs.
        tags: Of tagged unions. Pydantic puts the tag into the path, the operator
            did not, so it is taken out.
    """
    names = {name for section in sections for name in section.model_fields}
    return tuple(_problem(found, names, tags) for found in error.errors())


def _problem(found: ErrorDetails, names: set[str], tags: Container[str]) -> Problem:
    field = field_path(part for part in found["loc"] if part not in tags)
    value: object = found["input"]
    match found["type"]:
        case "missing":
            return Problem(field, "is missing")
        case "model_type" | "model_attributes_type" | "dict_type":
            return Problem(field, f"should be a table of fields, not {_kind(value)}")
        case "union_tag_not_found":
            return Problem(f"{field}.kind", "is missing")
        case "union_tag_invalid":
            kinds = found["ctx"]["expected_tags"]
            return Problem(f"{field}.kind", f"should be one of {kinds}")
        case "extra_forbidden":
            name = str(found["loc"][-1])
            if name in names:
                return Problem(field, "is not a field of this section")
            near = difflib.get_close_matches(name, names, n=1)
            hint = f" (is {near[0]!r} meant?)" if near else ""
            return Problem(field, f"is not a known field{hint}")
        case "string_too_short":
            return Problem(field, "should not be empty")
        case "string_too_long":
            most = found["ctx"]["max_length"]
            text = f"should have at most {most} characters"
            return Problem(field, _message(text, value))
        case "tuple_type":
            return Problem(field, _message("should be a list", value))
        case "too_short":
            return Problem(field, "should name one at least")
        case _:
            return Problem(field, _message(found["msg"], value))


def _kind(value: object) -> str:
    """What a value is to somebody who writes TOML or JSON."""
    match value:
        case list() | tuple():
            return "a list"
        case str() | int() | float():
            return repr(value)
        case _:
            return "nothing"


def _message(text: str, value: object) -> str:
    """Pydantic's sentence without its subject, and with the value at its end."""
    message = text.removeprefix("Value error, ").removeprefix("Input ")
    if isinstance(value, str | int | float) and str(value) not in message:
        message = f"{message}, not {value!r}"
    return message


def field_path(parts: Iterable[str | int]) -> str:
    """Write a path as the operator does: `overlay[0].vtep.mac`."""
    path = ""
    for part in parts:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return path.removeprefix(".")
