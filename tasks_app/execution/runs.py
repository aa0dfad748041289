"""Holds the claim, the action and the open input while a worker works on a segment."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import NamedTuple, cast

from django.conf import settings

from categories import registry
from categories.contract import Action, Context, Row, RowAction, RowFailed, Settings
from categories.contract.rows import OutputShape, RowShape
from categories.running.callers import Callers
from piston.database.compiled_queries import CompiledSelect, Slot
from tasks_app.csv_files.reading import Batch, RowReader
from tasks_app.csv_files.verifying import describe_loss
from tasks_app.errors import CSVFormatError, StoredFileChanged, StoredFileMissing
from tasks_app.files import storage, task_files
from tasks_app.models import CSVName, Segment, Task, TaskCSV

BATCH_BYTES = 4 * 2**20  # of input: bounds memory when rows are large


class ReadRow(NamedTuple):
    """A row of the input."""

    number: int
    offset: int  # where it begins
    batch: Batch  # of this row alone
    parsed: Row | RowFailed

    @property
    def end_offset(self) -> int:
        """Where the next row begins."""
        return self.batch.end_offsets[0]


@dataclass
class Run:
    """A worker's work on one claimed segment."""

    segment: Segment
    action: Action
    context: Context
    ahead: list[ReadRow] = field(default_factory=list)  # external rows, read before their turn
    _reader: RowReader | None = field(default=None, init=False)

    @property
    def task(self) -> Task:
        """The task that the segment belongs to, as it was at the claim."""
        return self.segment.task

    @property
    def claim_seconds(self) -> float:
        """How long a claim lasts without renewal: longer than the slowest row may take."""
        return claim_seconds(type(self.action))

    @cached_property
    def input(self) -> TaskCSV:
        """The task's input; raises StoredFileMissing when there is none."""
        for found in INPUT.fetch(task_id=self.task.pk):
            return found
        raise StoredFileMissing(f"The input of task {self.task.pk} is gone.")

    @cached_property
    def output_shape(self) -> OutputShape:
        """The shape of the lines of out.csv."""
        header = self.input.header if self.segment.has_input else ()
        action = type(self.action)
        return OutputShape(action, header, task_files.output_columns(self.task, action, header))

    @cached_property
    def row_shape(self) -> RowShape:
        """The rules that turn cells into typed rows."""
        return RowShape(type(self.action), self.input.header)

    @cached_property
    def callers(self) -> Callers:
        """The threads that send several external rows at a time."""
        return Callers(cast("type[RowAction]", type(self.action)), self.context)

    def take(self, count: int, offset: int | None = None) -> Batch:
        """Return the rows at a byte offset, at most `count` and no more than a few MiB.

        Without an offset: the rows at the cursor.
        """
        offset = self.segment.cursor_offset if offset is None else offset
        if self._reader and self._reader.offset != offset:
            self._close_reader()  # the last batch committed only some of its rows
        try:
            with storage.storage_errors():
                self._reader = self._reader or self._open(offset)
                batch = self._reader.take(count, max_bytes=BATCH_BYTES)
        except CSVFormatError as error:  # only without checksums, which detect it sooner
            raise self._changed() from error
        if not batch.lines:
            raise self._changed()
        return batch

    def _open(self, offset: int) -> RowReader:
        end = self.segment.end_offset
        file = storage.open_range(self.input, offset, end)
        return RowReader(file, width=len(self.input.header), offset=offset, end_offset=end)

    def describe_loss(self, error: StoredFileMissing) -> str:
        """Return the text that tells the owner of an input that is missing or has changed."""
        left = range(self.segment.cursor_row + 1, (self.segment.end_row or 0) + 1)
        return describe_loss(self.__dict__.get("input") or TaskCSV(), error, otherwise=left)

    def _changed(self) -> StoredFileChanged:
        end = self.segment.end_offset or self.input.size_bytes
        return storage.found_changed(self.input, self.segment.cursor_offset, end)

    def close(self) -> None:
        """Close the input, and end the threads."""
        self._close_reader()
        callers = self.__dict__.pop("callers", None)
        if callers is not None:
            callers.close()

    def _close_reader(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()


INPUT = CompiledSelect(
    lambda: TaskCSV.objects.defer(None).filter(task=Slot.text("task_id"), name=CSVName.INPUT)
)


def claim_seconds(action: type[Action]) -> float:
    """Return how long a claim on a segment of this action lasts without renewal."""
    return max(settings.PISTON_CLAIM_SECONDS, 1.5 * action.row_seconds + 5)


def context_of(task: Task) -> Context:
    """Return the facts about the task that its action may know."""
    find_category = partial(registry.get_category, task.category, version=task.category_version)
    return Context(
        account_id=task.account_id,
        auth_account_id=task.auth_account_id,
        task_id=task.pk,
        settings=Settings(find_category),
    )
