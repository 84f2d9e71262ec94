"""What a host needs beside the program: a unit, and other daemons kept off our rows.

`packaging/` in the repository holds the same files for packagers.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path

#: Where a package puts the program.
USUAL_PROGRAM = "/usr/bin/navstar"
#: What systemd's ProtectHome hides.
HOMES = ("/home", "/root", "/run/user")

_SERVICE = """\
[Unit]
Description=navstar: overlay networks between containers
Documentation=man:ip-link(8)
Wants=network-online.target
After=network-online.target

[Service]
# Ready when the control socket answers; restarted when the event loop hangs.
Type=notify
NotifyAccess=main
WatchdogSec=30
ExecStart=@PROGRAM@ run --config /etc/navstar/navstar.toml
ExecReload=/bin/kill -HUP $MAINPID
# Stopping leaves every row in the kernel; a restart writes nothing.
Restart=always
RestartSec=1
RuntimeDirectory=navstar
# The socket of an agent that is being replaced must not go with the old one.
RuntimeDirectoryPreserve=yes
StateDirectory=navstar
StateDirectoryMode=0700
LimitNOFILE=4096
CapabilityBoundingSet=CAP_NET_ADMIN
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
# Not ProtectKernelTunables: IPv6 is switched on for the VTEP in /proc/sys.

[Install]
WantedBy=multi-user.target
"""

_NETWORKD = """\
# systemd-networkd removes routes and rules of others when it is restarted.
[Network]
ManageForeignRoutes=no
ManageForeignRoutingPolicyRules=no
"""

_NETWORKD_LINK = """\
# VTEPs are navstar's.
[Match]
Name=vtep* u[0-9]*-[0-9]* v[0-9]*-[0-9]* w[0-9]*-[0-9]*

[Link]
Unmanaged=yes
"""

# NetworkManager knows * and ? but no ranges: v[0-9]* is a name to it, and v*-* would
# take in virbr0-nic. With a VXLAN port at its end no other device has such a name.
_NETWORK_MANAGER = """\
# VTEPs are navstar's, and so are the devices that stand beside one while its VNI or
# port changes, or on the other underlay family. Other ports than 64000 and 4789 have to
# be added; 'navstar doctor' says which.
[keyfile]
unmanaged-devices+=interface-name:vtep*;interface-name:v*-64000;interface-name:u*-64000;interface-name:w*-64000;interface-name:v*-4789;interface-name:u*-4789;interface-name:w*-4789
"""

FILES = {
    "etc/systemd/system/navstar.service": _SERVICE,
    "etc/systemd/networkd.conf.d/10-navstar.conf": _NETWORKD,
    "etc/systemd/network/10-navstar-vtep.network": _NETWORKD_LINK,
    "etc/NetworkManager/conf.d/10-navstar.conf": _NETWORK_MANAGER,
}


def files(*, program: str) -> dict[str, str]:
    """Every file by its path below the root.

    Args:
        program: Absolute path of `navstar`.
    """
    return {name: text.replace("@PROGRAM@", program) for name, text in FILES.items()}


class Changed(enum.Enum):
    """What becomes of a file that is there and says something else."""

    #: Somebody has changed it, or an earlier version has written it.
    KEEP = "keep"
    REPLACE = "replace"


@dataclass(frozen=True, slots=True)
class Installed:
    """What `install` did.

    Attributes:
        written: Files that were not there, or replaced.
        kept: Files that say something else, and were left as they are.
    """

    written: tuple[Path, ...]
    kept: tuple[Path, ...]


def install(root: Path, *, program: str, changed: Changed = Changed.KEEP) -> Installed:
    """Write the files; those that are right already are left alone.

    Args:
        root: Directory below which they go.
        program: Absolute path of `navstar`.
        changed: What becomes of those that say something else.

    Raises:
        OSError: One cannot be written.
    """
    written, kept = [], []
    for name, text in files(program=program).items():
        path = root / name
        if path.is_file() and path.read_text() == text:
            continue
        if path.exists() and changed is Changed.KEEP:
            kept.append(path)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        written.append(path)
    return Installed(tuple(written), tuple(kept))
