"""Stores files in S3, and checks its answers, which a gateway or proxy may have made up.

A gateway answers for a storage that is away, and a proxy changes answers. So an answer counts
only if S3 could have given it. Every error is an OSError. FileNotFoundError means "no such
object", but only a listing of the bucket proves that.
"""

from __future__ import annotations

import errno
import io
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO, cast

from botocore.exceptions import ClientError
from django.core.files import File
from storages.backends.s3 import S3Storage

from piston.relied_on import rely_on
from piston.storages.folder import StoredFile

CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)", re.ASCII)
Answer = Mapping[str, Any]


class ObjectStorageError(OSError):
    """Object storage refuses, is away, or something else answers for it."""


rely_on(
    __name__,
    S3Storage,
    _save="self, name, content",
    _create_session="self",
    connection=property,
)


class CheckedS3Storage(S3Storage):  # type: ignore[misc]  # it has no types
    """S3 through django-storages, whose answers are checked. Every method raises OSError."""

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        """Return the name as it is: ours are unique, so no search for a free name is needed."""
        return name

    def _save(self, name: str, content: File[Any]) -> str:
        """Store the content; raise an error of the content itself unchanged."""
        source = Source(content)
        with as_os_error(source):
            return str(super()._save(name, source))

    def open_range(self, name: str, start: int, end: int) -> tuple[BinaryIO, int]:
        """Open the bytes from `start` up to `end`; return them and the size of the whole object."""
        try:
            answer = self._ask("get_object", Key=name, Range=f"bytes={start}-{end - 1}")
        except RangeRefused as error:
            size = self.look(name).size_bytes
            if size > start:
                raise unbelievable(
                    f"there are no bytes from {start} of {name}, which has {size}"
                ) from error
            return io.BytesIO(), size
        body = Body(answer["Body"])
        try:
            return cast("BinaryIO", body), check_range(answer, start, end)
        except ObjectStorageError:
            body.close()
            raise

    def look(self, name: str) -> StoredFile:
        """Describe an object."""
        answer = self._ask("head_object", Key=name)
        try:
            etag = answer["ETag"].removeprefix("W/").strip('"')
            return StoredFile(name, int(answer["ContentLength"]), answer["LastModified"], etag)
        except (KeyError, ValueError) as error:
            raise unbelievable(f"it does not say what {name} is: {error}") from error

    def has_file(self, name: str) -> bool:
        """Tell whether the object exists, by a listing of the bucket."""
        answer = self._ask("list_objects", Prefix=name, MaxKeys=1)
        return name in (file.key for file in self._read_list(answer, name))

    def list_folder(self, folder: str) -> Iterator[StoredFile]:
        """Yield the objects whose names begin with the folder's."""
        prefix = f"{folder}/"
        with as_os_error():
            paginator = self.connection.meta.client.get_paginator("list_objects")
            pages = iter(paginator.paginate(Bucket=self.bucket_name, Prefix=prefix))
        while True:
            with as_os_error():
                page = next(pages, None)
            if page is None:
                return
            yield from self._read_list(page, prefix)

    def delete(self, name: str) -> None:
        """Delete an object, if it exists; a listing of the bucket confirms an unclear answer."""
        with suppress(FileNotFoundError):
            answer = self._ask("delete_object", Key=name)
            if answer["ResponseMetadata"]["HTTPStatusCode"] == 204:  # No Content: S3's answer
                return
        if self.has_file(name):
            raise unbelievable(f"{name} is still there after it was deleted")

    def _ask(self, operation: str, **options: Any) -> Answer:
        with as_os_error():
            ask = getattr(self.connection.meta.client, operation)
            return cast("Answer", ask(Bucket=self.bucket_name, **options))

    def _read_list(self, answer: Answer, prefix: str) -> list[StoredFile]:
        """Return the listed objects, if the listing names this bucket: a gateway's does not."""
        if (answer.get("Name"), answer.get("Prefix")) != (self.bucket_name, prefix):
            raise unbelievable(f"it does not list {prefix} in the bucket {self.bucket_name}")
        with as_os_error():
            return [
                StoredFile(each["Key"], each["Size"], each["LastModified"])
                for each in answer.get("Contents", ())
            ]

    def _create_session(self) -> Any:
        session = super()._create_session()
        session.events.register_first("needs-retry.s3", refuse_unknown_region)
        return session


def check_range(answer: Answer, start: int, end: int) -> int:
    """Return the size of the whole object, if the answer has exactly the requested bytes.

    A proxy that drops the header `Range` answers 200, with other bytes.
    """
    said = str(answer.get("ContentRange", ""))
    length = answer.get("ContentLength")
    status = answer["ResponseMetadata"]["HTTPStatusCode"]
    match = CONTENT_RANGE.fullmatch(said)
    if status == 206 and match:
        first, last, size = map(int, match.groups())
        if (first, last, length) == (start, min(end, size) - 1, last - first + 1):
            return size
    asked = f"bytes {start}-{end - 1}"
    raise unbelievable(
        f"asked for {asked} it answers {status} with {said or 'no range'}, {length} bytes"
    )


def unbelievable(why: str) -> ObjectStorageError:
    """Return the error for an answer that S3 cannot have given."""
    return ObjectStorageError(
        f"The answer is not the storage's: {why}. Is there a gateway, proxy or cache in between?"
    )


# ---- Errors --------------------------------------------------------------------------------------


class RangeRefused(ObjectStorageError):
    """The object ends before the range begins."""


@contextmanager
def as_os_error(source: Source | None = None) -> Iterator[None]:
    """Turn every error of S3 into an OSError, but raise an error of `source` unchanged.

    Every one, because boto3 fails in many ways on an answer that is not S3's.
    """
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        if source is not None and source.error is not None:
            raise
        if isinstance(error, ClientError):
            raise explain(error) from error
        raise ObjectStorageError(f"{type(error).__name__}: {error}") from error


def explain(error: ClientError) -> OSError:
    """Return the error for an answer that is not a success."""
    answer = cast("Answer", error.response)
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code = answer.get("Error", {}).get("Code")
    if status == 404 and code != "NoSuchBucket":
        return FileNotFoundError(errno.ENOENT, str(error))
    if status == 416:
        return RangeRefused(str(error))
    if 300 <= status < 400:
        return redirected(answer)
    return ObjectStorageError(str(error))


def redirected(answer: Answer) -> ObjectStorageError:
    """Return the error for a bucket at another address; it names the settings to change."""
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    said = answer.get("Error", {})
    place = headers.get("location") or said.get("Endpoint") or "another place"
    region = headers.get("x-amz-bucket-region") or said.get("Region") or "the bucket's"
    return ObjectStorageError(
        f"The storage redirects to {place}: set PISTON_S3_REGION to its region ({region}),"
        " PISTON_S3_ENDPOINT_URL to its address"
    )


def refuse_unknown_region(response: tuple[Any, Any] | None = None, **_: Any) -> None:
    """Fail a call that is redirected without a region, which botocore would repeat endlessly.

    Its query for the region would be redirected as well, and would query again.
    """
    if response is None:
        return
    http, parsed = response
    if http is None or not 300 <= http.status_code < 400:
        return
    headers = {name.lower(): value for name, value in http.headers.items()}
    if "x-amz-bucket-region" in headers or parsed.get("Error", {}).get("Region"):
        return
    raise redirected({**parsed, "ResponseMetadata": {"HTTPHeaders": headers}})


class Source:
    """The content of a file, and its own error, for which the storage is not to blame."""

    closed = False

    def __init__(self, content: File[Any]) -> None:
        self.content = content
        self.error: Exception | None = None

    def read(self, size: int | None = None) -> Any:
        """Return the next bytes."""
        try:
            return self.content.read(size)
        except Exception as error:
            self.error = error
            raise

    def readable(self) -> bool:
        """Return True: boto3 may read this."""
        return True

    def seekable(self) -> bool:
        """Return False: this can only be read forwards."""
        return False

    def close(self) -> None:
        """Do nothing: the content belongs to the caller."""


class Body:
    """The bytes of an answer."""

    def __init__(self, body: Any) -> None:
        self._body = body

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes. Raises OSError, also for a body that is shorter than declared."""
        with as_os_error():
            return cast("bytes", self._body.read(None if size < 0 else size))

    def close(self) -> None:
        """Return the connection to its pool."""
        self._body.close()
