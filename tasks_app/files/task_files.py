"""Lists and reads the files of a task: from storage, or from its parts until it is assembled."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import accumulate, count, islice

from categories import registry
from categories.columns import TextColumn
from categories.contract import Action, PageAction, RowAction
from categories.contract.rows import ERROR, OutputShape
from categories.errors import CategoryError
from tasks_app.csv_files.boundaries import rows_in
from tasks_app.csv_files.writing import encode_row
from tasks_app.errors import CSVNotFound, StoredFileMissing
from tasks_app.files import storage
from tasks_app.models import CSVName, Part, Task, TaskCSV
from tasks_app.states import TaskStatus

GROUP_BYTES = 4 * 2**20  # of parts read at a time


@dataclass(frozen=True)
class Range:
    """A run of bytes that can be read from any offset."""

    size: int
    read: Callable[[int, int], Iterator[bytes]]  # from, to


@dataclass(frozen=True)
class DownloadableFile:
    """A file of a task: ranges of bytes, one after the other."""

    name: CSVName
    validator: str  # changes whenever the bytes do
    ranges: tuple[Range, ...]

    @property
    def size(self) -> int:
        """Return the number of bytes."""
        return sum(each.size for each in self.ranges)

    def read(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Yield the bytes from `start` up to `end`."""
        end = self.size if end is None else end
        before = 0
        for each in self.ranges:
            first, last = max(start - before, 0), min(end - before, each.size)
            if first < last:
                yield from filter(None, each.read(first, last))
            before += each.size


def csv_names(task: Task) -> list[CSVName]:
    """Return the names of the files that can be downloaded now, in a fixed order."""
    return names_with(task, task.csvs.all())


def names_with(task: Task, stored: Iterable[TaskCSV]) -> list[CSVName]:
    """Return the names of a task with these stored files; faulty files are left out."""
    names = {CSVName(csv.name) for csv in stored if csv.faulty_at is None}
    if is_read_from_parts(task):
        names.add(CSVName.OUTPUT)
        if has_failed_rows(task):
            names.add(CSVName.FAILED)
    if task.is_final and task.left_count and CSVName.INPUT in names and not awaits_answer(task):
        names.add(CSVName.UNPROCESSED)
    return [name for name in CSVName if name in names]


def is_read_from_parts(task: Task) -> bool:
    """Return whether the output files can be read although they are not in storage yet."""
    return task.status == TaskStatus.STOPPED and not task.is_assembled


def has_failed_rows(task: Task) -> bool:
    """Return whether there are failed rows to send again; indeterminate rows do not count."""
    return task.total_count is not None and task.failure_count > task.indeterminate_count


def awaits_answer(task: Task) -> bool:
    """Return whether a row may have been sent to an external system without an outcome yet."""
    counted: bool | None = getattr(task, "has_sent_effect", None)  # annotated by lists of tasks
    return task.effects.unrecorded().exists() if counted is None else counted


def open_file(task: Task, name: str) -> DownloadableFile:
    """Return a file of a task; raises CSVNotFound when the task has no such file (yet)."""
    stored = {CSVName(csv.name): csv for csv in task.csvs.defer(None)}
    source = stored.get(CSVName.INPUT if name == CSVName.UNPROCESSED else name)  # type: ignore[call-overload]
    if source and source.faulty_at is not None:
        storage.recheck(source)
    if name not in names_with(task, stored.values()):
        raise CSVNotFound(task.pk)
    wanted = CSVName(name)
    if wanted in stored:
        csv = stored[wanted]
        return DownloadableFile(wanted, csv.sha256, (stored_range(csv, 0, csv.size_bytes),))
    if wanted is CSVName.UNPROCESSED:
        ranges = unprocessed_ranges(task, stored[CSVName.INPUT])
    else:
        ranges = parts_ranges(task, wanted)
    now = Task.objects.visible().filter(pk=task.pk).first()
    if now is None:  # its segments and parts may have been deleted before they were read here
        raise CSVNotFound(task.pk)
    if now.is_assembled and not task.is_assembled:
        return open_file(now, name)
    return DownloadableFile(wanted, f"{task.pk}-{task.revision}-{wanted}", ranges)


def read_through(task: Task, file: DownloadableFile, start: int, end: int) -> Iterator[bytes]:
    """Yield a file's bytes from `start` up to `end`, even while it is being assembled.

    This call itself reads the first block, and the block after a header that is not in storage.
    So it raises StoredFileMissing and StorageUnavailable while the client can still get an error.
    """
    blocks = read_from_anywhere(task, file, start, end)
    first = b"".join(islice(blocks, 2 if len(file.ranges) > 1 else 1))
    return continue_with(first, blocks)


def continue_with(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    """Yield a block that was already read, then the rest; closing it closes the file."""
    yield first
    yield from rest


def read_from_anywhere(task: Task, file: DownloadableFile, start: int, end: int) -> Iterator[bytes]:
    """Yield a file's bytes; if its parts are deleted meanwhile, read the rest from storage."""
    offset, again = start, None
    try:
        for block in file.read(start, end):
            yield block
            offset += len(block)
    except StoredFileMissing:
        with suppress(CSVNotFound, Task.DoesNotExist):
            again = open_file(Task.objects.visible().get(pk=task.pk), file.name)
        if again is None or again.size != file.size or again.validator == file.validator:
            raise
        yield from again.read(offset, end)


def literal_range(content: bytes) -> Range:
    """Return a range over bytes in memory."""
    return Range(len(content), lambda start, end: iter([content[start:end]]))


def stored_range(csv: TaskCSV, offset: int, end: int) -> Range:
    """Return a range over a part of a stored file."""
    return Range(
        end - offset, lambda start, stop: storage.read_range(csv, offset + start, offset + stop)
    )


def unprocessed_ranges(task: Task, csv: TaskCSV) -> tuple[Range, ...]:
    """Return unprocessed.csv: the header, and the rows of each segment after its cursor."""
    ranges = [literal_range(bytes(csv.header_bytes) + b"\n")]
    for segment in task.segments.all().unfinished().order_by("index"):
        end = segment.end_offset or csv.size_bytes
        ranges.append(stored_range(csv, segment.cursor_offset, end))
    return tuple(ranges)


def parts_ranges(task: Task, name: CSVName) -> tuple[Range, ...]:
    """Return out.csv or failed.csv as it will be assembled: the header and the parts."""
    column = "output" if name is CSVName.OUTPUT else "failed"
    sizes = list(
        Part.objects.filter(task=task)
        .order_by("segment_index", "number")
        .values_list("pk", f"{column}_bytes")
    )
    parts = [(pk, size) for pk, size in sizes if size]
    header = literal_range(header_line(task, name))
    return header, Range(
        sum(size for _, size in parts), lambda start, end: read_parts(parts, column, start, end)
    )


def read_parts(parts: list[tuple[int, int]], column: str, start: int, end: int) -> Iterator[bytes]:
    """Yield the bytes of parts, a few MiB at a time, so memory does not grow with the output."""
    group: list[int] = []
    ends = accumulate(size for _, size in parts)
    first_of_group = 0
    for (pk, size), part_end in zip(parts, ends, strict=True):
        if part_end <= start or part_end - size >= end:
            continue
        if not group:
            first_of_group = part_end - size
        group.append(pk)
        if part_end - first_of_group >= GROUP_BYTES:
            yield cut(read_group(group, column), start - first_of_group, end - first_of_group)
            group = []
    if group:
        yield cut(read_group(group, column), start - first_of_group, end - first_of_group)


def read_group(pks: list[int], column: str) -> bytes:
    """Return the joined bytes of these parts, in the given order."""
    by_pk = dict(Part.objects.filter(pk__in=pks).values_list("pk", column))
    if len(by_pk) < len(pks):
        raise StoredFileMissing("The parts were assembled, or deleted, while they were read.")
    return b"".join(bytes(by_pk[pk]) for pk in pks)


def cut(content: bytes, start: int, end: int) -> bytes:
    """Return the bytes of the content from `start` up to `end`; both may lie outside of it."""
    return content[max(start, 0) : end]


def header_line(task: Task, name: CSVName) -> bytes:
    """Return the first line of a file, with its line end."""
    csv = task.csvs.filter(name=CSVName.INPUT).first()
    input_line = bytes(csv.header_bytes) if csv else b""
    if name is CSVName.FAILED:
        return input_line + b"\n"
    action = find_action(task) or replacement_action(task, csv.header if csv else ())
    header = csv.header if csv else ()
    shape = OutputShape(action, header, output_columns(task, action, header))
    if not shape.keeps_line or not csv:
        return encode_row(shape.header) + b"\n"
    added = encode_row(shape.header[len(csv.header) :])
    return b"%b,%b\n" % (input_line, added)


def download_name(task: Task, file: DownloadableFile) -> str:
    """Return the name under which a client saves the file; every file system accepts it."""
    return f"{task.category}_{task.action}_{task.pk}_{file.name.value}"


def find_action(task: Task) -> type[Action] | None:
    """Return the task's action, or None when it is gone."""
    try:
        return registry.get_action(task.category, task.action)[1]
    except CategoryError:
        return None


def output_columns(task: Task, action: type[Action], header: Sequence[str]) -> Sequence[str] | None:
    """Return the names of the output columns that the task began to write; None: the action's.

    An older release did not keep them. Versions since then have added columns at the end only. So
    the width of a line that waits for assembly says how many there were. That release wrote
    `error` for actions without input, too.
    """
    if task.output_columns is not None:
        names_kept: Sequence[str] = task.output_columns
        return names_kept
    names = [column.name for column in action.output]
    appended = names if action.replaces_header else [name for name in names if name not in header]
    if cells := first_cells(task):
        kept_count = 0 if action.replaces_header else len(header)
        added = appended[max(len(cells) - kept_count - len([ERROR]), 0) :]
        names = [name for name in names if name not in added]
    return names if action.takes_input else [*names, ERROR]


def first_cells(task: Task) -> list[str]:
    """Return the cells of the first line of output that waits for assembly; none if none does."""
    found = Part.objects.filter(task=task, output_bytes__gt=0)
    first = found.order_by("segment_index", "number").values_list("output", flat=True).first()
    return next(rows_in(bytes(first), is_last=True))[0] if first else []


def replacement_action(task: Task, input_header: Sequence[str]) -> type[Action]:
    """Return an action for a task whose own is gone; it writes lines with as many cells.

    An older release did not keep the names of the output columns: they become output_1, output_2, …
    """
    cells = first_cells(task)
    kept = {*input_header, ERROR} if input_header else ()  # without input, rows have no error
    free = (name for number in count(1) if (name := f"output_{number}") not in input_header)
    lost = [TextColumn(name, "Lost.") for name in islice(free, max(len(cells) - len(kept), 0))]

    names = task.output_columns

    class MissingRowAction(RowAction, abstract=True):
        output = lost
        replaces_header = names is not None and len(cells) == len([*names, ERROR])

    class MissingPageAction(PageAction, abstract=True):
        output = lost

    return MissingRowAction if input_header else MissingPageAction
