"""Tests that false answers of a gateway, a proxy or a cache in front of S3 are not believed."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.config import Config
from django.core.files.base import ContentFile

from tasks_app.errors import StorageUnavailable, StoredFileChanged, StoredFileMissing
from tasks_app.files import storage, storage_check
from tasks_app.models import CSVName, TaskCSV
from tests.factories import TaskFactory
from tests.gateway import (
    IN_ITS_PLACE,
    LIES,
    LIES_THAT_SHOW,
    Answer,
    Asked,
    Gateway,
    PassOn,
    answering,
    honest,
)
from tests.servers import ObjectStorage, started

pytestmark = pytest.mark.django_db
CONTENT = b"0123456789" * 100_000
SAID_OK = IN_ITS_PLACE["200 and nothing"]
in_its_place = pytest.mark.parametrize("rule", IN_ITS_PLACE.values(), ids=IN_ITS_PLACE)


@pytest.fixture(scope="module")
def object_storage() -> Iterator[ObjectStorage]:
    with started(ObjectStorage) as server:
        yield server


@pytest.fixture
def gateway(object_storage: ObjectStorage, settings: Any) -> Iterator[Gateway]:
    """Put a gateway in front of the storage that changes nothing yet."""
    backend = object_storage.storage()
    with Gateway(object_storage.url) as gateway:
        backend["OPTIONS"] |= {
            "endpoint_url": gateway.url,
            "client_config": Config(retries={"max_attempts": 0}),  # no pauses
        }
        settings.STORAGES = {**settings.STORAGES, "default": backend}
        yield gateway


def store(content: bytes = CONTENT) -> TaskCSV:
    csv_file = storage.reserve("ab" * 15, CSVName.OUTPUT)
    storage.save(csv_file, io.BytesIO(content))
    return csv_file


def read(csv_file: TaskCSV, start: int = 300_000, end: int = 400_000) -> bytes:
    return b"".join(storage.read_range(csv_file, start, end))


def overwrite(csv_file: TaskCSV, content: bytes) -> None:
    storage.default_storage.save(csv_file.key, ContentFile(content))


def is_faulty(csv_file: TaskCSV) -> bool:
    return TaskCSV.objects.get(pk=csv_file.pk).faulty_at is not None


def kinds(gateway: Gateway) -> list[str]:
    return [asked.method for asked in gateway.asked]


# ---- The gateway answers instead of the storage --------------------------------------------------


@in_its_place
def test_no_other_answer_is_taken_for_a_missing_file(gateway: Gateway, rule: Any) -> None:
    csv_file = store()

    gateway.rule = rule
    with pytest.raises(StorageUnavailable):
        read(csv_file)
    with pytest.raises(StorageUnavailable):
        storage.exists(csv_file.key)
    gateway.rule = honest

    assert not is_faulty(csv_file)
    assert read(csv_file) == CONTENT[300_000:400_000]


@in_its_place
def test_no_other_answer_is_taken_for_a_stored_file(gateway: Gateway, rule: Any) -> None:
    gateway.rule = rule

    with pytest.raises(StorageUnavailable):
        store()

    assert len(gateway.asked) <= 4


@in_its_place
def test_no_other_answer_is_taken_for_a_large_stored_file(gateway: Gateway, rule: Any) -> None:
    gateway.rule = rule

    with pytest.raises(StorageUnavailable):
        store(CONTENT * 9)  # in parts


@pytest.mark.parametrize("name", sorted(IN_ITS_PLACE.keys() - {"204"}))
def test_no_other_answer_is_taken_for_a_deletion(gateway: Gateway, name: str) -> None:
    csv_file = store()

    gateway.rule = IN_ITS_PLACE[name]
    with pytest.raises(StorageUnavailable):
        storage.delete(csv_file.key)
    gateway.rule = honest

    assert storage.exists(csv_file.key)


@in_its_place
def test_no_other_answer_is_taken_for_a_list(gateway: Gateway, rule: Any) -> None:
    csv_file = store()
    TaskCSV.objects.filter(pk=csv_file.pk).update(task=TaskFactory.create())
    gateway.rule = rule

    with pytest.raises(StorageUnavailable):
        storage_check.compare("ab")


def test_storing_requests_no_free_name_and_verifies_the_size(gateway: Gateway) -> None:
    store()

    assert kinds(gateway) == ["PUT", "HEAD"]


def test_a_file_that_was_not_kept_is_not_stored(gateway: Gateway) -> None:
    def swallow(asked: Asked, pass_on: PassOn) -> Answer:
        return Answer(200).saying(etag='"x"') if asked.method == "PUT" else pass_on(asked)

    gateway.rule = swallow

    with pytest.raises(StorageUnavailable):
        store()


def test_a_file_that_was_cut_off_on_its_way_is_not_stored(gateway: Gateway) -> None:
    def cut(asked: Asked, pass_on: PassOn) -> Answer:
        if asked.method == "HEAD":
            return pass_on(asked).saying(content_length="999999")
        return pass_on(asked)

    gateway.rule = cut

    with pytest.raises(StorageUnavailable, match="has not kept"):
        store()


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_the_error_of_a_redirection_names_the_setting_and_it_is_not_followed(
    gateway: Gateway, status: int
) -> None:
    csv_file = store()
    gateway.asked.clear()
    gateway.rule = answering(status, location="https://eu.example/")

    with pytest.raises(StorageUnavailable) as raised:
        read(csv_file)

    assert "https://eu.example/" in str(raised.value)
    assert "PISTON_S3_REGION" in str(raised.value)
    assert len(gateway.asked) == 1


def test_the_error_of_a_redirection_to_a_region_names_the_region(gateway: Gateway) -> None:
    csv_file = store()
    gateway.asked.clear()
    gateway.rule = answering(301, **{"x-amz-bucket-region": "eu-west-1"})

    with pytest.raises(StorageUnavailable, match=r"PISTON_S3_REGION to its region \(eu-west-1\)"):
        read(csv_file)

    assert len(gateway.asked) <= 2


# ---- Proof that a file is missing ----------------------------------------------------------------


def test_a_file_counts_as_missing_after_two_listings_without_it(gateway: Gateway) -> None:
    csv_file = store()
    storage.delete(csv_file.key)
    gateway.asked.clear()

    with pytest.raises(StoredFileMissing):
        read(csv_file)

    assert is_faulty(csv_file)
    assert [asked.wanted_range is None for asked in gateway.asked] == [False, True, True]


def test_a_file_that_is_listed_is_not_missing_although_it_was_not_found(gateway: Gateway) -> None:
    def lose_it(asked: Asked, pass_on: PassOn) -> Answer:
        is_lost = asked.wanted_range is not None
        return (
            IN_ITS_PLACE["404 that sounds like S3"](asked, pass_on) if is_lost else pass_on(asked)
        )

    csv_file = store()
    gateway.rule = lose_it

    with pytest.raises(StorageUnavailable, match="yet it is there"):
        read(csv_file)

    assert not is_faulty(csv_file)


def test_a_gateway_that_answers_between_the_two_checks_proves_nothing(gateway: Gateway) -> None:
    csv_file = store()
    storage.delete(csv_file.key)
    gateway.asked.clear()
    page = IN_ITS_PLACE["404 as text"]
    gateway.rule = lambda asked, pass_on: (honest if len(gateway.asked) < 3 else page)(
        asked, pass_on
    )

    with pytest.raises(StorageUnavailable):
        read(csv_file)

    assert not is_faulty(csv_file)


def test_a_longer_name_with_the_same_beginning_is_another_file(gateway: Gateway) -> None:
    csv_file = store()
    storage.default_storage.save(f"{csv_file.key}.bak", ContentFile(CONTENT))
    storage.delete(csv_file.key)

    assert not storage.exists(csv_file.key)


def test_deleting_sends_one_request(gateway: Gateway) -> None:
    csv_file = store()
    gateway.asked.clear()

    storage.delete(csv_file.key)

    assert kinds(gateway) == ["DELETE"]


def test_a_deletion_answered_not_found_is_checked_in_the_listing(gateway: Gateway) -> None:
    def say_not_found(asked: Asked, pass_on: PassOn) -> Answer:
        answer = pass_on(asked)
        return Answer(404) if asked.method == "DELETE" else answer

    csv_file = store()
    gateway.rule = say_not_found

    storage.delete(csv_file.key)

    assert not storage.exists(csv_file.key)


# ---- The gateway alters the answers to ranges ----------------------------------------------------


@pytest.mark.parametrize("rule", LIES.values(), ids=LIES)
def test_a_false_answer_to_a_range_does_not_count_as_a_changed_file(
    gateway: Gateway, rule: Any
) -> None:
    csv_file = store()

    gateway.rule = rule
    with pytest.raises(StorageUnavailable):
        read(csv_file)
    gateway.rule = honest

    assert not is_faulty(csv_file)
    assert read(csv_file) == CONTENT[300_000:400_000]


@pytest.mark.parametrize("rule", LIES_THAT_SHOW.values(), ids=LIES_THAT_SHOW)
def test_an_inconsistent_answer_is_found_without_checksums(gateway: Gateway, rule: Any) -> None:
    csv_file = store()
    csv_file.block_bytes = csv_file.checksums = None
    csv_file.etag = ""

    gateway.rule = rule
    with pytest.raises(StorageUnavailable):
        read(csv_file)

    assert not is_faulty(csv_file)


def replaced(content: bytes) -> Callable[[TaskCSV], None]:
    return lambda csv_file: overwrite(csv_file, content)


@pytest.mark.parametrize(
    "change",
    [
        replaced(CONTENT[:-1]),
        replaced(CONTENT[:10]),
        replaced(CONTENT + b"0"),
        replaced(CONTENT[::-1]),
    ],
    ids=["shorter", "much shorter", "longer", "other bytes"],
)
@pytest.mark.parametrize("etag_is_known", [True, False])
def test_a_file_that_was_really_replaced_has_changed(
    gateway: Gateway, change: Callable[[TaskCSV], None], etag_is_known: bool
) -> None:
    csv_file = store()
    csv_file.etag = csv_file.etag if etag_is_known else ""
    change(csv_file)

    with pytest.raises(StoredFileChanged):
        read(csv_file)

    assert is_faulty(csv_file)


def test_a_weak_etag_equals_the_strong_one(gateway: Gateway) -> None:
    def weaken(asked: Asked, pass_on: PassOn) -> Answer:
        answer = LIES["other bytes"](asked, pass_on)
        etag = next(said for name, said in answer.headers.items() if name.lower() == "etag")
        return answer.saying(etag=f"W/{etag}")

    csv_file = store()
    gateway.rule = weaken

    with pytest.raises(StorageUnavailable):
        read(csv_file)
