"""What can a process have of its own? A network, a small disk, little memory, a wrong clock.

All of it needs Linux and most of it root; what is missing raises `Missing` with its name.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from tests.servers import Missing

CLONE_NEWNET = 0x40000000
SLEEPING = Path(__file__).with_name("sleeping")
MEMORY_CONTROLLERS = (Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup"))


def run(*command: str) -> None:
    """Run a program; its own words are the error's."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")


def need_root(what: str) -> None:
    """Raise Missing when this is not root."""
    if os.geteuid() != 0:
        raise Missing(f"{what} needs root.")


HOLE = "77"  # a routing table that leads nowhere


class Network:
    """A network namespace with nothing but loopback; servers outside are reached through links.

    A link listens inside at an address of its own (127.0.0.2, …), which can be made a black hole:
    packets are sent into a cable at whose other end nobody is.
    """

    def __init__(self) -> None:
        need_root("A network of its own")
        if not shutil.which("ip"):
            raise Missing("ip was not found. On Debian and Ubuntu: apt-get install iproute2")
        self.name = f"piston-{secrets.token_hex(4)}"
        self.inside = ["ip", "netns", "exec", self.name]
        self.addresses = (f"127.0.0.{number}" for number in range(2, 250))

    def __enter__(self) -> Self:
        try:
            run("ip", "netns", "add", self.name)
        except OSError as error:
            raise Missing(f"Network namespaces are not permitted here ({error}).") from error
        for command in (
            "ip link set lo up",
            "ip link add hole type veth peer name bottom",
            "ip link set hole arp off up",
            "ip link set bottom arp off up",
            f"ip route add default dev hole src 127.0.0.1 table {HOLE}",
            "ip rule add pref 100 lookup local",  # so that something may come before it
            "ip rule del pref 0",
        ):
            run(*self.inside, *command.split())
        # else the kernel would say that these addresses do not belong into a cable
        allowed = "/proc/sys/net/ipv4/conf/hole/route_localnet"
        run(*self.inside, "sh", "-c", f"echo 1 > {allowed}")
        return self

    def __exit__(self, *_exception: object) -> None:
        run("ip", "netns", "del", self.name)

    def listen(self) -> socket.socket:
        """Return a socket that listens inside, at an address of its own."""
        made: list[socket.socket] = []
        address = next(self.addresses)

        def enter_and_listen() -> None:
            with Path(f"/run/netns/{self.name}").open() as namespace:
                if ctypes.CDLL(None).setns(namespace.fileno(), CLONE_NEWNET) == 0:
                    made.append(socket.create_server((address, 0)))

        thread = threading.Thread(target=enter_and_listen)  # a namespace is a thread's own
        thread.start()
        thread.join()
        if not made:
            raise Missing("Network namespaces cannot be entered here.")
        return made[0]

    def swallow(self, address: str) -> None:
        """Let nothing arrive at an address any more, nor anything from it; nobody is told."""
        for way in ("to", "from"):
            run(*self.inside, *f"ip rule add pref 10 {way} {address} lookup {HOLE}".split())

    def deliver(self, address: str) -> None:
        """Let everything arrive again."""
        for way in ("to", "from"):
            run(*self.inside, *f"ip rule del pref 10 {way} {address} lookup {HOLE}".split())


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[None]:
    """Put a disk of that size under a folder that is empty."""
    need_root("A small disk")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        run("mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder))
    except OSError as error:
        raise Missing(f"A small disk cannot be mounted here ({error}).") from error
    try:
        yield
    finally:
        run("umount", "--lazy", str(folder))


@contextlib.contextmanager
def little_memory(megabytes: int) -> Iterator[list[str]]:
    """Yield the words before a command that give it, and its children, so much memory in all."""
    need_root("A limit of memory")
    name = f"piston-{secrets.token_hex(4)}"
    for controller in MEMORY_CONTROLLERS:
        group = controller / name
        with contextlib.suppress(OSError):
            group.mkdir()
            for limit in ("memory.limit_in_bytes", "memory.max"):
                if (group / limit).exists():
                    (group / limit).write_text(str(megabytes * 2**20))
                    break
            else:
                group.rmdir()
                continue
            try:
                joins = f'echo $$ > {group}/cgroup.procs && exec "$@"'
                yield ["sh", "-c", joins, "sh"]
            finally:
                with contextlib.suppress(OSError):  # somebody in it may still be dying
                    group.rmdir()
            return
    raise Missing("Memory cannot be limited here: no memory controller of control groups.")


def wrong_clock(offset: str) -> dict[str, str]:
    """Return the variables that move a process's clock, `+1h` say; not that of its time-outs."""
    for library in Path("/usr/lib").glob("*/faketime/libfaketime.so.1"):
        return {
            "LD_PRELOAD": str(library),
            "FAKETIME": offset,
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "PYTHONPATH": str(SLEEPING),
        }
    raise Missing("libfaketime was not found. On Debian and Ubuntu: apt-get install libfaketime")


def settable_clock(file: Path) -> dict[str, str]:
    """Return the variables that make a process's clock follow the offset in a file, at once."""
    variables = wrong_clock("+0") | {"FAKETIME_TIMESTAMP_FILE": str(file), "FAKETIME_NO_CACHE": "1"}
    del variables["FAKETIME"]  # it would be stronger
    return variables
