"""The kernel itself: its version, VXLAN, and our rights."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator

from navstar.doctor.finding import Finding, Level
from navstar.doctor.host import Host, Needs
from navstar.netlink_codec import (
    AF_UNSPEC,
    LINK_HEADER,
    NLM_F_CREATE,
    NLM_F_EXCL,
    Request,
    Rtm,
    attribute,
)
from navstar.netlink_socket import NetlinkSocket, Refusal

_IFLA_LINKINFO, _INFO_KIND = 18, 1
_CAP_NET_ADMIN = 12

#: VXLAN with a `dstport` and IPv6 underlay, and FDB rows by netlink.
OLDEST = (3, 9)

#: What newer kernels do better, for remarks.
_BETTER = (
    ((4, 20), "dumps are filtered in the kernel: a host with many routes costs more"),
    ((5, 18), "the owner of an address is kept: all on a VTEP are taken for ours"),
)


def check_version(host: Host, needs: Needs) -> Iterator[Finding]:
    """The kernel is new enough."""
    release, version = host.setting("kernel/osrelease"), host.kernel_version()
    if version is None:
        return
    if version < OLDEST:
        yield Finding(
            "kernel",
            Level.FAULT,
            f"Linux {release} is older than {OLDEST[0]}.{OLDEST[1]}",
            "no VXLAN device of the form that is needed can be made",
            "install a newer kernel; 5.18 or newer is best",
        )
        return
    for since, what in _BETTER:
        if version < since:
            yield Finding(
                "kernel",
                Level.REMARK,
                f"Linux {release}: only from {since[0]}.{since[1]} on {what}",
                "nothing breaks",
                "a newer kernel, when there is occasion",
            )


def check_rights(host: Host, needs: Needs) -> Iterator[Finding]:
    """We may change the network."""
    status = host.text("/proc/self/status") or ""
    found = re.search(r"^CapEff:\s*([0-9a-f]+)", status, re.MULTILINE)
    if found is not None and not int(found[1], 16) >> _CAP_NET_ADMIN & 1:
        yield Finding(
            "rights",
            Level.FAULT,
            "this process has no CAP_NET_ADMIN",
            "no row can be written to the kernel",
            "run as root, or with AmbientCapabilities=CAP_NET_ADMIN in the unit",
        )


def check_vxlan(host: Host, needs: Needs) -> Iterator[Finding]:
    """The kernel has VXLAN. Asked with a request that it must refuse."""
    with NetlinkSocket() as netlink:
        (refusal,) = netlink.transact([_half_a_link()]).values()
    yield from judge_vxlan(refusal)


def judge_vxlan(refusal: Refusal) -> Iterator[Finding]:
    """What the answer to a VXLAN link without a VNI tells."""
    if refusal.errno == errno.EOPNOTSUPP:
        yield Finding(
            "vxlan",
            Level.FAULT,
            f"the kernel has no VXLAN: {refusal}",
            "no VTEP can be made",
            "modprobe vxlan, or install the package with the kernel's extra modules",
        )


def _half_a_link() -> Request:
    """A VXLAN link without its data: refused in any case, and differently without."""
    info = attribute(_IFLA_LINKINFO, attribute(_INFO_KIND, b"vxlan"))
    body = LINK_HEADER.pack(AF_UNSPEC, 0, 0, 0, 0) + info
    return Request(Rtm.NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body)
