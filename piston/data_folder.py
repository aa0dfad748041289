"""Makes the data folder usable and private: it holds the database, keys and files."""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

OTHERS = stat.S_IRWXG | stat.S_IRWXO
FILES = "files"  # everything in it has been private since the first release
OURS = frozenset({FILES, "messages", "secret_key"})  # names that each installation has
LOOKS = 5  # at a file, before it counts as unusable
REMEDY = "Make it yours and writable, or choose another one with PISTON_DATA_DIR."


def prepare(folder: Path) -> None:
    """Make the data folder usable and private. Raises ImproperlyConfigured if that fails.

    The umask is set, so everything that this process creates from now on is private, too.
    """
    os.umask(OTHERS)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        make_private(folder)
    except OSError as error:
        why = "it is a file" if folder.is_file() else (error.strerror or str(error)).lower()
        raise refusal(folder, why) from error
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise refusal(folder, f"{user_name()} may not write to it, or it is read-only")
    for path in find_unusable(folder):
        raise refusal(folder, f"{user_name()} may not write to {path}, which is {owner(path)}'s")
    if folder.stat().st_mode & stat.S_IWOTH:
        raise refusal(folder, "everybody may write to it, and that is not ours to change")


def prepare_database(file: Path) -> None:
    """Make an SQLite database private, in any folder. Raises ImproperlyConfigured if read-only."""
    for path in (file, file.with_name(f"{file.name}-wal"), file.with_name(f"{file.name}-shm")):
        with suppress(FileNotFoundError):
            close(path)
            if is_unusable(path):
                raise ImproperlyConfigured(
                    f"The database {path} cannot be written by {user_name()}: it is read-only, or"
                    f" belongs to another user ({owner(path)}). Give it to the user who runs this."
                )


def make_private(folder: Path) -> None:
    """Remove all permissions of group and others, in the folder and on it.

    The folder itself comes last: once it is private, its many files need no further check.
    """
    mode = folder.stat().st_mode
    if mode & stat.S_ISVTX and not is_ours_alone(folder):
        return  # shared on purpose, like /tmp
    for path, folders, names in os.walk(folder):
        if not mode & OTHERS and path == str(folder) and FILES in folders:
            folders.remove(FILES)
            close(folder / FILES)
        for name in (*folders, *names):
            close(Path(path, name))
    close(folder)


def is_ours_alone(folder: Path) -> bool:
    """Tell whether a folder that all users may write to is a disk of our own, just mounted."""
    names = {path.name for path in folder.iterdir()} - {"lost+found"}
    return not names or not OURS.isdisjoint(names)


def close(path: Path) -> None:
    """Remove the permissions of group and others; leave the files of other users unchanged."""
    with suppress(FileNotFoundError, PermissionError):
        mode = path.lstat().st_mode
        if mode & OTHERS and not stat.S_ISLNK(mode):
            path.chmod(stat.S_IMODE(mode) & ~OTHERS & ~stat.S_ISVTX)


def find_unusable(folder: Path) -> Iterator[Path]:
    """Yield what is in the folder and not writable, for instance after a start by another user."""
    for path in (*folder.iterdir(), *folder.glob("messages/*")):
        if is_unusable(path):
            yield path


def is_unusable(path: Path) -> bool:
    """Say whether the file is there and may not be written.

    Running processes make and remove files meanwhile, such as SQLite's `-wal`. So a file that is
    missing at the first look may be there at the second one.
    """
    return all(not os.access(path, os.R_OK | os.W_OK) and path.exists() for _ in range(LOOKS))


def find_open(folder: Path) -> Iterator[Path]:
    """Yield the folder and its entries for which group or others have permissions."""
    for path in (folder, *sorted(folder.iterdir())):
        with suppress(FileNotFoundError):
            mode = path.lstat().st_mode
            if mode & OTHERS and not stat.S_ISLNK(mode):
                yield path


def refusal(folder: Path, why: str) -> ImproperlyConfigured:
    """Return the error that names the folder, the reason and the remedy."""
    return ImproperlyConfigured(f"The data folder {folder} cannot be used: {why}. {REMEDY}")


def user_name() -> str:
    """Return the name of the user who runs this process."""
    return name_of(os.geteuid())


def owner(path: Path) -> str:
    """Return the name of the file's owner."""
    return name_of(path.stat().st_uid)


def name_of(user: int) -> str:
    """Return a user's name, or its number: in containers a user may have no name."""
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"user {user}"
