"""Compares the files in storage with the rows in the database, once a day, folder by folder.

An upload writes its row before its file, and a row is deleted only after its file. So a file
without a row was stored after the backup from which the database was restored. A row without a
file means that the storage lost the file. Files with other names are neither reported nor deleted.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from django.db import connection
from django.db.models import Q, QuerySet

from piston.plurals import plural
from piston.storages.folder import StoredFile
from tasks_app.errors import StorageUnavailable
from tasks_app.files import storage
from tasks_app.models import CSVName, TaskCSV
from tasks_app.models.clock import database_time

FOLDERS = [f"{number:02x}" for number in range(256)]  # a key begins with the folder's name
GRACE_SECONDS = 7 * 86_400.0  # from when the daily check first sees a file without a row
MAX_AT_ONCE = 1_000  # rows per statement
MAX_NAMED = 20  # in the log
# Files without a row that are deleted even if they are more than the files with a row.
MAX_BY_ITSELF = 100

logger = logging.getLogger(__name__)


@dataclass
class Difference:
    """The difference between the storage and the database in one folder."""

    without_row: list[StoredFile] = field(default_factory=list)
    without_file: list[TaskCSV] = field(default_factory=list)
    known_count: int = 0  # files that have a row


def compare_all() -> Iterator[Difference]:
    """Yield the difference in each folder. Raises StorageUnavailable."""
    for folder in FOLDERS:
        yield compare(folder)


def compare(folder: str) -> Difference:
    """Compare one folder; files are listed before rows, so every uploaded file has its row."""
    files = {file.key: file for file in storage.list_files(folder)}
    keys = set(files)
    difference = Difference()
    for rows in in_pages(rows_of(folder)):
        known = {row.key for row in rows}
        difference.known_count += len(keys & known)
        keys -= known
        lost = [row for row in rows if row.task_id is not None and row.key not in files]
        difference.without_file += still_lost(lost)
    # a row can be written, and its file listed, after the first page of rows was read
    keys -= set(existing_keys(keys))
    difference.without_row = [files[key] for key in sorted(keys)]
    return difference


def rows_of(folder: str) -> Iterable[TaskCSV]:
    """Return the rows of files in a folder; the query uses an index."""
    inside = Q(key__startswith=f"{folder}/")
    if connection.vendor == "sqlite":  # its index serves a range of keys, not a prefix
        inside = Q(key__gt=f"{folder}/", key__lt=f"{folder}0")
    return without_scheduled(TaskCSV.objects.filter(inside)).only("key", "task_id").iterator()


def without_scheduled(rows: QuerySet[TaskCSV]) -> QuerySet[TaskCSV]:
    """Leave out the rows that only schedule the deletion of a file (`schedule_deletion`)."""
    return rows.exclude(task=None, kept_until__gt=database_time(storage.KEEP_SECONDS))


def in_pages(rows: Iterable[TaskCSV]) -> Iterator[list[TaskCSV]]:
    """Yield the rows in lists, so that memory does not grow with their number."""
    remaining = iter(rows)
    while page := list(islice(remaining, MAX_AT_ONCE)):
        yield page


def still_lost(rows: list[TaskCSV]) -> list[TaskCSV]:
    """Return the rows that a task still owns and whose file is still missing.

    The file may have been written, or the task purged, since the folder was listed.
    """
    owned = Q(pk__in=[row.pk for row in rows], task__isnull=False)
    owned_keys = set(TaskCSV.objects.filter(owned).values_list("key", flat=True)) if rows else set()
    return [row for row in rows if row.key in owned_keys and not storage.exists(row.key)]


def existing_keys(keys: Iterable[str]) -> Iterator[str]:
    """Yield the keys that have a row by now."""
    remaining = iter(sorted(keys))
    while page := list(islice(remaining, MAX_AT_ONCE)):
        rows = without_scheduled(TaskCSV.objects.filter(key__in=page))
        yield from rows.values_list("key", flat=True)


def run_daily_check() -> None:
    """Run the daily check; during an outage of the storage, leave it to the next day."""
    try:
        handle_differences()
    except StorageUnavailable as error:
        logger.warning("The storage could not be looked over, tomorrow again: %s", error)


def handle_differences() -> None:
    """Log the differences, and schedule the deletion of each file without a row.

    More than MAX_BY_ITSELF of them, and more than the known files, suggest a wrong database. Then
    this only logs an error; an operator who is sure can run `check_storage --delete`.
    """
    without_row = without_file = known = 0
    lost: list[str] = []
    for difference in compare_all():
        without_row += len(difference.without_row)
        without_file += len(difference.without_file)
        known += difference.known_count
        lost += [row.key for row in difference.without_file[: MAX_NAMED - len(lost)]]
    if without_file:
        logger.error(
            "Tasks have %s %s that the storage has not, such as: %s",
            without_file, plural("file", without_file), ", ".join(lost),
        )  # fmt: skip
    if without_row > max(known, MAX_BY_ITSELF):
        logger.error(
            "The storage has %s files that the database does not know, and %s that it knows: is"
            " it the right database? Nothing is deleted (manage.py check_storage)",
            without_row, known,
        )  # fmt: skip
    elif without_row:
        logger.warning(
            "The storage has %s %s that the database does not know; deleted in 7 days",
            without_row, plural("file", without_row),
        )  # fmt: skip
        for difference in compare_all():
            schedule_deletion(difference.without_row)


def schedule_deletion(files: Iterable[StoredFile]) -> None:
    """Let the sweeper delete files after GRACE_SECONDS, unless a restored database knows them."""
    TaskCSV.objects.bulk_create(
        [
            TaskCSV(
                key=file.key,
                name=CSVName(file.key.partition(".")[2]),
                size_bytes=file.size_bytes,
                kept_until=database_time(GRACE_SECONDS),
                is_given_up=True,
            )
            for file in files
        ],
        ignore_conflicts=True,
        batch_size=MAX_AT_ONCE,
    )


def delete_without_row(file: StoredFile) -> bool:
    """Delete a file that has no row; False when it has one by now.

    The file's age does not matter: an upload writes its row before its file.
    """
    if without_scheduled(TaskCSV.objects.filter(key=file.key)).exists():
        return False
    storage.delete(file.key)
    return True
