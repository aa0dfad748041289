"""Which safeguards of files, transfers and ends can be taken out? Added to the other breakages."""

from __future__ import annotations

from tests.acceptance.chaos.breakages import BREAKAGES, LEDGER, Breakage, Change

ASSEMBLY = "tasks_app/execution/assembly.py"
INTAKE = "tasks_app/creating.py"
OBJECT_STORAGE = "piston/storages/s3.py"
RECORDING = "tasks_app/files/recording.py"
STORAGE = "tasks_app/files/storage.py"
EXPIRY = "tasks_app/upkeep/expiry.py"
VERIFYING = "tasks_app/csv_files/verifying.py"

for breakage in (
    Breakage(
        "no-file-record",
        "a file is recorded when it is complete, not before it is written",
        (
            Change(STORAGE, "return TaskCSV.objects.create(key", "return TaskCSV(key"),
            Change(
                STORAGE,
                "    csv_file.size_bytes = recording.size_bytes\n",
                "    csv_file.save()\n    csv_file.size_bytes = recording.size_bytes\n",
            ),
            Change(RECORDING, "if not self.csv_file.keep(self.keep_seconds):", "if False:"),
        ),
    ),
    Breakage(
        "task-before-file",
        "the task is created before its input is in storage",
        (
            Change(
                INTAKE,
                "        scan = store_and_scan(",
                "        create_task(order, task_id, total_count=None)\n"
                "        scan = store_and_scan(",
            ),
            Change(
                INTAKE,
                "        give_up(csv_file)\n",
                "        Task.objects.filter(pk=task_id).delete()\n        give_up(csv_file)\n",
            ),
            Change(
                INTAKE,
                "        task = create_task(order, task_id, total_count=scan.row_count)\n",
                "        Task.objects.filter(pk=task_id).update(total_count=scan.row_count)\n"
                "        task = Task.objects.get(pk=task_id)\n",
            ),
        ),
    ),
    Breakage(
        "json-read-at-once",
        "JSON of any length is read at once, in the thread of its request",
        (
            Change(
                "piston/http/bodies.py",
                "MAX_SMALL_JSON_BYTES = 16 * 1024",
                "MAX_SMALL_JSON_BYTES = 2**30",
            ),
            Change(
                "tasks_app/api/json_uploads.py", "SMALL_BYTES = 64 * 1024", "SMALL_BYTES = 2**30"
            ),
            Change(
                "tasks_app/csv_files/json_text.py",
                "BLOCK_BYTES = 256 * 1024",
                "BLOCK_BYTES = 2**30",
            ),
        ),
    ),
    Breakage(
        "refused-uploads-stay",
        "the stored bytes of a failed upload are left to the sweeper",
        (Change(INTAKE, "        give_up(csv_file)\n", ""),),
    ),
    Breakage(
        "no-reserve",
        "no room on the disk is reserved for people, and the bytes of a failed upload are"
        " deleted last",
        (
            Change(
                "piston/disk_reserve.py",
                "    return bool(settings.",
                "    return bool(0 and settings.",
            ),
            Change("piston/storages/folder.py", "Path(self.path(name)).unlink()", "pass"),
            Change("tasks_app/storing_uploads.py", "        delete_unrecorded(csv_file)\n", ""),
        ),
    ),
    Breakage(
        "finish-before-upload",
        "the final status is committed before the output is in storage",
        (
            Change(
                ASSEMBLY,
                "    written = [\n",
                "    if task.status == TaskStatus.EXECUTING:\n"
                "        status = final_status(\n"
                "            Ending(task.ending or Ending.BROKEN),\n"
                "            success_count=task.success_count,\n"
                "            failure_count=task.failure_count,\n"
                "            left_count=task.left_count,\n"
                "        )\n"
                "        task.move_to(status, only_from=[TaskStatus.EXECUTING], ended_at=Now())\n"
                "        was = TaskStatus.EXECUTING\n"
                "        events.record(task, EventKind.ENDED, events.SYSTEM, old_status=was)\n"
                "    written = [\n",
            ),
        ),
    ),
    Breakage(
        "claim-not-renewed",
        "a claim is renewed when bytes are read, but not while its writer waits for the storage",
        (Change(ASSEMBLY, ", while_storing=stay", ""),),
    ),
    Breakage(
        "outage-ends-tasks",
        "a storage that does not answer ends the task instead of delaying it",
        (
            Change(
                "tasks_app/execution/worker.py",
                "    except StoredFileMissing as error:\n",
                "    except (StoredFileMissing, StorageUnavailable) as error:\n",
            ),
        ),
    ),
    Breakage(
        "inputs-not-verified",
        "rows are run from any bytes that the storage sends, if they look like rows",
        (Change(VERIFYING, "self._checksums.fit(block, start)", "block"),),
    ),
    Breakage(
        "inputs-not-verified-at-the-end",
        "the input is not verified again at the end of a task",
        (Change(ASSEMBLY, "    check_input(task)\n", ""),),
    ),
    Breakage(
        "lost-inputs-are-tried-again",
        "a worker that finds its input lost leaves the task to the next one",
        (
            Change(
                "tasks_app/execution/ending.py",
                "        end_as_broken(run.segment, run.describe_loss(error), str(error))\n",
                "        from tasks_app.errors import StorageUnavailable\n\n"
                "        raise StorageUnavailable from error\n",
            ),
        ),
    ),
    Breakage(
        "not-found-believed",
        "a file counts as missing after any 404",
        (Change(STORAGE, "    for _ in range(2):\n", "    for _ in range(0):\n"),),
    ),
    Breakage(
        "any-bucket-believed",
        "a file that is not in the bucket counts as missing, even if all others are missing too",
        (Change(STORAGE, "    check_bucket(csv_file)\n", ""),),
    ),
    Breakage(
        "names-looked-for",
        "before a file is stored, the storage is asked for a free name",
        (
            Change(
                OBJECT_STORAGE,
                "        return name\n\n    def _save",
                "        return Storage.get_available_name(self, name, max_length)\n\n"
                "    def _save",
            ),
            Change(
                OBJECT_STORAGE,
                "from django.core.files import File\n",
                "from django.core.files import File\n"
                "from django.core.files.storage import Storage\n",
            ),
        ),
    ),
    Breakage(
        "redirections-followed",
        "boto3 follows redirections in its own way",
        (Change(OBJECT_STORAGE, "        session.events.register_first(", "        print("),),
    ),
    Breakage(
        "ranges-believed",
        "any answer to a range counts as that range, and other bytes count as another file",
        (
            Change(
                OBJECT_STORAGE,
                "        if (first, last, length) == (start, min(end, size) - 1,"
                " last - first + 1):\n",
                "        if size:\n",
            ),
            Change(STORAGE, "    if is_as_stored or now.size_bytes != ", "    if size and size > "),
        ),
    ),
    Breakage(
        "mount-not-looked-at",
        "an empty folder counts as the folder of files",
        (Change(STORAGE, "default_storage.has_folder(FOLDER)", "default_storage"),),
    ),
    Breakage(
        "parts-go-with-the-end",
        "the parts of a broken task are deleted, although it may be retried",
        (
            Change(ASSEMBLY, "    if not task.may_be_retried:\n", "    if task:\n"),
            Change(
                "tasks_app/lifecycle.py",
                "    if kept != task.success_count + task.failure_count:\n",
                "    if kept < 0:\n",
            ),
        ),
    ),
    Breakage(
        "no-time-outs",
        "a silent storage has no time-out",
        (Change("piston/settings/storage.py", "read_timeout=30,", "read_timeout=3600,"),),
    ),
    Breakage(
        "files-forgotten",
        "the record of a file is deleted although the file could not be deleted",
        (
            Change(
                EXPIRY,
                'logger.warning("Sweeping: %s stays for now: %s", csv_file.key, error)\n',
                'logger.warning("Sweeping: %s stays: %s", csv_file.key, error)\n'
                "                TaskCSV.objects.filter(pk=csv_file.pk, task=None).delete()\n",
            ),
        ),
    ),
    Breakage(
        "stop-not-guarded",
        "a batch that runs while its task is stopped is still committed",
        (Change(LEDGER, " if also_when_stopped else GROW_RUNNING", ""),),
    ),
    Breakage(
        "ranges-off",
        "a range begins one byte late",
        (
            Change(
                "tasks_app/api/downloads.py",
                "    return start, end\n",
                "    return min(start + 1, end - 1), end\n",
            ),
        ),
    ),
    Breakage(
        "parts-only",
        "a download that began with parts does not continue with the file made of them",
        (
            Change(
                "tasks_app/files/task_files.py",
                "    if again is None or again.size != file.size"
                " or again.validator == file.validator:\n",
                "    if True:\n",
            ),
        ),
    ),
    Breakage(
        "uploads-not-cut",
        "clients that are still sending when the web server stops get no answer",
        (
            Change(
                "piston/web/worker.py",
                "        self.cut_at = time.monotonic()",
                "        self.not_cut_at = time.monotonic()",
            ),
        ),
    ),
):
    BREAKAGES[breakage.name] = breakage
