"""Rights and system parts that a lab needs, and what to do where they are missing.

Root has them. An ordinary user has them inside a user namespace of his own, where
the kernel lets users make one: the command executes itself again as root of a fresh
user, mount and network namespace, with a /run/netns of its own. Nothing that is
done in there reaches the host.
"""

from __future__ import annotations

import errno
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from navstar.lab import namespaces
from navstar.lab.agents import environment, navstar_command
from navstar.lab.errors import MissingSystemPart
from navstar.lab.processes import Process
from navstar.lab.record import DIRECTORY_VARIABLE, base_directory

# Source: linux/capability.h.
_CAPABILITIES = {"CAP_NET_ADMIN": 12, "CAP_NET_RAW": 13, "CAP_SYS_ADMIN": 21}

_INSIDE_VARIABLE = "NAVSTAR_LAB_IN_USER_NAMESPACE"

_IN_CONTAINER = (
    "in a container, start it with more rights: docker run --privileged ...\n"
    "or run it on the host itself"
)


def missing_capabilities() -> list[str]:
    """Those of the needed capabilities that this process lacks."""
    status = Path("/proc/self/status").read_text()
    effective = int(status.partition("CapEff:")[2].split()[0], 16)
    return [name for name, bit in _CAPABILITIES.items() if not effective >> bit & 1]


def is_in_user_namespace() -> bool:
    """Whether this is the part of a user's lab that has executed itself again."""
    return _INSIDE_VARIABLE in os.environ


def become_able(arguments: list[str]) -> None:
    """Return if this process may make a lab; else execute it again where it may.

    Args:
        arguments: Of `navstar`, for the second execution.

    Raises:
        MissingSystemPart: Neither is possible here, with the way out.
    """
    missing = missing_capabilities()
    if not missing:
        return
    if is_in_user_namespace() or os.geteuid() == 0:
        raise MissingSystemPart(f"root lacks {', '.join(missing)} here", _IN_CONTAINER)
    directory = base_directory()
    try:
        _enter_fresh_user_namespace()
    except OSError as error:
        raise MissingSystemPart(
            f"uid {os.geteuid()} lacks {', '.join(missing)}, and the kernel does not "
            f"let it have a user namespace of its own ({error.strerror})",
            _way_to_user_namespaces(arguments),
        ) from None
    _execute_again(arguments, directory)


def follow(holder: Process, arguments: list[str]) -> None:
    """Execute this command again in the namespaces of a user's lab that is up.

    Args:
        holder: The process that keeps them.
        arguments: Of `navstar`, for the second execution.

    Raises:
        MissingSystemPart: The kernel does not let us in.
    """
    directory = base_directory()
    kinds = (
        ("user", namespaces.CLONE_NEWUSER),
        ("mnt", namespaces.CLONE_NEWNS),
        ("net", namespaces.CLONE_NEWNET),
    )
    try:
        opened = [
            (os.open(f"/proc/{holder.pid}/ns/{kind}", os.O_RDONLY), flag)
            for kind, flag in kinds
        ]
        for descriptor, flag in opened:
            namespaces.setns(descriptor, flag)
    except OSError as error:
        problem = f"the namespaces of process {holder.pid} do not open: {error}"
        raise MissingSystemPart(problem) from None
    _execute_again(arguments, directory)


def check_system() -> None:
    """Try in a throw-away namespace everything that a lab needs of the kernel.

    Raises:
        MissingSystemPart: The first part that is missing, and what brings it.
    """
    try:
        namespaces.in_unnamed(_try_parts)
    except OSError as error:
        raise MissingSystemPart(
            f"this host gives no network namespace: {error}", _IN_CONTAINER
        ) from None


def _try_parts() -> None:
    if not Path("/proc/sys/net/ipv6").exists():
        raise MissingSystemPart(
            "the kernel has no IPv6",
            "take ipv6.disable=1 from its command line, then boot",
        )
    try:
        setting = Path("/proc/sys/net/ipv4/ip_forward")
        setting.write_text(setting.read_text())
    except OSError:
        raise MissingSystemPart(
            "/proc/sys/net cannot be written", _IN_CONTAINER
        ) from None
    with IPRoute() as kernel:
        for kind, module, make in _LINK_KINDS:
            try:
                make(kernel)
            except NetlinkError as error:
                raise MissingSystemPart(
                    f"the kernel makes no {kind} device: {os.strerror(error.code)}",
                    _way_to_module(module),
                ) from None


_LINK_KINDS: tuple[tuple[str, str, Callable[[IPRoute], object]], ...] = (
    ("bridge", "bridge", lambda k: k.link("add", ifname="try0", kind="bridge")),
    ("veth", "veth", lambda k: k.link("add", ifname="try1", kind="veth", peer="try2")),
    (
        "vxlan",
        "vxlan",
        lambda k: k.link(
            "add", ifname="try3", kind="vxlan", vxlan_id=1, vxlan_port=64000
        ),
    ),
)


def _way_to_module(module: str) -> str:
    release = os.uname().release
    return (
        f"sudo modprobe {module}\n"
        f"where it is not installed, on Debian and Ubuntu: "
        f"sudo apt-get install linux-modules-extra-{release}"
    )


def _as_root(arguments: list[str]) -> str:
    """The command for the same as root: with its path, which root's shell lacks."""
    script = Path(sys.executable).with_name("navstar")
    command = [str(script)] if script.exists() else [sys.executable, "-m", "navstar"]
    return f"run it as root: {shlex.join(['sudo', *command, *arguments])}"


def _way_to_user_namespaces(arguments: list[str]) -> str:
    """Being root, and the settings that stand in the way where they can be seen."""
    found = [
        f"sudo sysctl -w {name}={wanted}"
        for name, wanted, in_the_way in (
            ("kernel.unprivileged_userns_clone", "1", "0"),
            ("kernel.apparmor_restrict_unprivileged_userns", "0", "1"),
            ("user.max_user_namespaces", "10000", "0"),
        )
        if _setting(name) == in_the_way
    ]
    return "\n".join([_as_root(arguments), *found])


def _setting(name: str) -> str | None:
    try:
        return Path("/proc/sys", name.replace(".", "/")).read_text().strip()
    except OSError:
        return None


def _enter_fresh_user_namespace() -> None:
    """Become root of namespaces of our own.

    Raises:
        OSError: The kernel refuses; nothing has changed if it refuses the first step.
    """
    uid, gid = os.geteuid(), os.getegid()
    namespaces.unshare(
        namespaces.CLONE_NEWUSER | namespaces.CLONE_NEWNS | namespaces.CLONE_NEWNET
    )
    # Without supplementary groups a user may map his own group. Source:
    # user_namespaces(7), "Defining user and group ID mappings".
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
    Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    # Nothing that is mounted from here on shows outside.
    namespaces.mount(
        "none", Path("/"), "none", namespaces.MS_REC | namespaces.MS_PRIVATE
    )
    cover = namespaces.DIRECTORY
    if not cover.is_dir():
        cover = cover.parent
    namespaces.mount("tmpfs", cover, "tmpfs", 0)


def _execute_again(arguments: list[str], directory: Path) -> None:
    command = navstar_command(*arguments)
    variables = {
        **environment(),
        DIRECTORY_VARIABLE: str(directory),
        _INSIDE_VARIABLE: "1",
    }
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execve(sys.executable, command, variables)  # noqa: S606 - no shell wanted
    except OSError as error:
        if error.errno in (errno.EACCES, errno.ENOENT):
            problem = f"{sys.executable} cannot be executed in a user namespace"
            raise MissingSystemPart(problem, _as_root(arguments)) from None
        raise
