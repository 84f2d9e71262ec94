"""What goes over the wire and into the table, shown on an example."""

from __future__ import annotations

import json
from ipaddress import ip_address, ip_interface, ip_network

from navstar.line import Line
from navstar.line_codec import key_of, value_of


def kv_layout() -> str:
    """One agent's line as it stands in the table."""
    line = Line(
        overlay=ip_network("9.0.0.0/8"),
        vtep=ip_interface("44.128.0.3/20"),
        mac="70:b3:d5:80:00:03",
        agent_ip=ip_address("10.0.0.3"),
        subnet=ip_network("9.0.3.0/24"),
        vni=1024,
        port=64000,
        node="5f" * 16,
        name="agent-3",
        underlay6=ip_address("fd00::3"),
        mtu=1450,
    )
    value = json.dumps(value_of(line), indent=2).replace("\n", "\n                    ")
    return (
        "```text\n"
        f"key       {key_of(line.overlay)!r}\n"
        f"  map       {str(line.vtep)!r}\n"
        f"    register  {line.node!r}\n"
        f"                    {value}\n"
        "```"
    )


def wire_sizes() -> str:
    """The numbers of the envelope."""
    from lashup.wire import envelope, fragments, frames, keyring

    rows = {
        "magic": envelope.MAGIC.hex(" "),
        "version": envelope.VERSION,
        "header": f"{envelope.HEADER_SIZE} bytes",
        "tag": f"{envelope.TAG_SIZE} bytes",
        "overhead of the envelope": f"{envelope.OVERHEAD} bytes",
        "overhead of a frame": f"{frames.FRAME_OVERHEAD} bytes",
        "overhead of a fragment": f"{fragments.FRAGMENT_OVERHEAD} bytes",
        "key": f"{keyring.KEY_SIZE} bytes",
        "key id": f"{keyring.KEY_ID_SIZE} bytes",
        "boot id": f"{envelope.BOOT_ID_SIZE} bytes",
        "replay window": f"{envelope.WINDOW} datagrams for each sender",
    } | {
        f"cipher {cipher.value}": cipher.name.replace("_", "-")
        for cipher in envelope.Cipher
    }
    lines = ["| | |", "|---|---|"]
    lines += [f"| {what} | {value} |" for what, value in rows.items()]
    return "\n".join(lines)


def wire_channels() -> str:
    """The channels that frames are on."""
    from lashup.channels import Channel

    lines = ["| channel | |", "|---|---|"]
    lines += [f"| {c.value} | {c.name.lower()} |" for c in Channel]
    return "\n".join(lines)


def lab_json() -> str:
    """The form of the lab's report, and the claims that it makes."""
    from navstar.lab import demo, report

    _, _, form = (report.__doc__ or "").partition("\n\n")
    lines = [
        "```text",
        form.strip(),
        "```",
        "",
        "| claim (`name`) | `goal` |",
        "|---|---|",
    ]
    lines += [f"| {claim.name} | {claim.goal} |" for claim in demo.CLAIMS]
    return "\n".join(lines)
