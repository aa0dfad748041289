"""Finds the processes that have a file or a port open, on Linux; elsewhere it finds none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

LISTENING = "0A"  # state of a socket in /proc/net/tcp
PROCESSES = Path("/proc")


def holders_of_file(file: Path) -> list[int]:
    """Return the processes that have the file open, as far as this user may see them."""
    return sorted(find_holders({str(file.resolve())}))


def holders_of_port(port: int) -> list[int]:
    """Return the processes that listen on the port, as far as this user may see them."""
    return sorted(find_holders({f"socket:[{inode}]" for inode in find_sockets(port)}))


def find_holders(targets: set[str]) -> Iterator[int]:
    """Yield the processes that have one of `targets` open; targets are named as in /proc."""
    for descriptors in PROCESSES.glob("[0-9]*/fd") if targets else ():
        with suppress(OSError):
            if any(leads_to(link, targets) for link in descriptors.iterdir()):
                yield int(descriptors.parent.name)


def leads_to(link: Path, targets: set[str]) -> bool:
    """Tell whether a descriptor leads to one of `targets`; it may just have been closed."""
    with suppress(OSError):
        return str(link.readlink()) in targets
    return False


def find_sockets(port: int) -> Iterator[str]:
    """Yield the inodes of the sockets that listen on the port."""
    for table in ("net/tcp", "net/tcp6"):
        with suppress(OSError):
            for line in (PROCESSES / table).read_text().splitlines()[1:]:
                columns = line.split()
                if columns[3] == LISTENING and int(columns[1].rpartition(":")[2], 16) == port:
                    yield columns[9]
