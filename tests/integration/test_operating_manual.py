"""Do the operator's manual and the design state what the code has: variables, settings, limits?"""

import re
from pathlib import Path

import pytest
from django.conf import settings

from piston.http import admin_sign_in, bodies, forms, transfers
from piston.web import client_socket, lingering, loop, request_heads, request_queue
from tasks_app import creating
from tasks_app.api import conversion, json_uploads, listing
from tasks_app.csv_files import contents, converting
from tasks_app.execution import assembly, batch_size, batches, external_rows, poison_rows

ROOT = Path(settings.BASE_DIR)
MANUAL = (ROOT / "docs/operating.md").read_text()
EXAMPLE = (ROOT / ".env.example").read_text()
READING = re.compile(r'read_(?:text|integer|boolean|list|folder)\([^"\']*["\']([A-Z_0-9]+)["\']')
READ = {
    name
    for path in (*ROOT.glob("piston/settings/*.py"), ROOT / "piston/web/gunicorn.py")
    for name in READING.findall(path.read_text())
}  # fmt: skip
SHAPES = ("SERIALIZER", "ACCEPT_CONTENT", "TIMEZONE", "SCHEDULE", "BROKER_URL", "TRANSPORT_OPTIONS")


@pytest.mark.parametrize("name", sorted(READ))
def test_every_variable_is_explained(name: str) -> None:
    assert f"`{name}`" in MANUAL


@pytest.mark.parametrize("name", re.findall(r"^#? ?([A-Z_0-9]+)=", EXAMPLE, re.MULTILINE))
def test_every_variable_of_the_example_exists(name: str) -> None:
    only_in_compose = {"POSTGRES_PASSWORD", "RABBITMQ_PASSWORD", "S3_SECRET_KEY"}

    assert name in READ | only_in_compose


def test_no_variable_is_explained_that_is_not_read() -> None:
    explained = set(re.findall(r"`(PISTON_[A-Z_0-9]+)`", MANUAL))

    assert explained - READ == set()


@pytest.mark.parametrize(
    "name",
    [
        name.removeprefix("CELERY_").lower()
        for name in dir(settings)
        if name.startswith("CELERY_") and not name.endswith(SHAPES)
    ],
)
def test_every_setting_of_celery_has_its_reason(name: str) -> None:
    assert re.search(rf"\b{name}\b", MANUAL)


@pytest.mark.parametrize("name", sorted(settings.CELERY_BROKER_TRANSPORT_OPTIONS))
def test_every_option_of_the_broker_has_its_reason(name: str) -> None:
    assert name in MANUAL or "folder" in name


UNITS = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40, "million": 10**6}
VARIABLES = re.findall(r"^\| (`[A-Z_0-9`, ]+`) \| ([^|]+) \|", MANUAL, re.MULTILINE)
DEFAULTS = [
    (name, default)
    for names, defaults in VARIABLES
    for name, default in zip(re.findall(r"\w+", names), defaults.split(" · "), strict=False)
    if hasattr(settings, name) and re.match(r"[\d,]+( |$)", default)
]


@pytest.mark.parametrize(("name", "default"), DEFAULTS)
def test_a_variable_has_the_default_that_the_manual_states(name: str, default: str) -> None:
    number, unit = re.findall(r"^([\d,]+) ?(\w*)", default)[0]

    assert getattr(settings, name) == int(number.replace(",", "")) * UNITS.get(unit, 1)


STATED = [
    ("design", "at most {} segments", creating.MAX_SEGMENTS),
    ("design", "of at most {:,} evenly spaced", contents.MAX_CHECKPOINTS),
    ("design", "JSON of more than {} KiB", json_uploads.SMALL_BYTES >> 10),
    ("design", "writes an output of up to {} MiB", assembly.SMALL_BYTES >> 20),
    ("design", "if the input is at most {} MiB", assembly.MAX_VERIFIED_BYTES >> 20),
    ("design", "After {:.0f} s the search commits", batches.SPLIT_SECONDS),
    ("design", "the batch size is divided by {}", poison_rows.SHRINK_FACTOR),
    ("design", "after {:.0f} s in which such reports", poison_rows.GRACE_SECONDS),
    ("design", "doubled up to {:.0f} s", external_rows.MAX_PAUSE_SECONDS),
    ("operating", "left alone for {:.0f} s", poison_rows.GRACE_SECONDS),
    ("operating", "an upload of more than {} KiB", request_heads.SMALL_BODY_BYTES >> 10),
    ("operating", "a download of more than {} KiB", transfers.SMALL_BYTES >> 10),
    ("operating", "| {:.0f} s in all,", loop.HEAD_SECONDS),
    ("operating", "| {} MiB each,", client_socket.MAX_SEND_BUFFER_BYTES >> 20),
    ("operating", "| requests that wait for a thread | {:,} |", request_queue.MAX_QUEUE_LENGTH),
    ("operating", "{} of them at one time", lingering.MAX_LINGER_COUNT),
    ("operating", "in all, {} KiB |", request_heads.MAX_HEAD_BYTES >> 10),
    ("operating", "beyond {} MiB; a message", batch_size.PART_BYTES >> 20),
    ("operating", "| `page_size` | then 400 | {:,} |", listing.MAX_PAGE_SIZE),
    ("operating", "| 413, before it is read | {} KiB |", bodies.MAX_SMALL_JSON_BYTES >> 10),
    ("operating", "by its length, before it is read | {} KiB |", forms.MAX_FORM_BYTES >> 10),
    ("operating", "Each process has {} MiB", converting.MAX_MEMORY_BYTES >> 20),
    ("operating", "and {} s of a processor", converting.MAX_PROCESSOR_SECONDS),
    ("operating", "| {} · ", conversion.MAX_AT_ONCE),
    ("operating", " · {} |\n| depth of JSON", conversion.MAX_WAITING),
    ("operating", "| {} · 30, for 30 minutes |", admin_sign_in.MAX_BY_NAME),
    ("operating", "| 20 · {}, for 30 minutes |", admin_sign_in.MAX_BY_ADDRESS),
]


@pytest.mark.parametrize(("document", "sentence", "value"), STATED)
def test_a_document_states_the_number_of_the_code(
    document: str, sentence: str, value: float
) -> None:
    text = (ROOT / f"docs/{document}.md").read_text()
    stated = re.escape(sentence.format(value)).replace("\\ ", r"\s+")

    assert re.search(stated, text)
