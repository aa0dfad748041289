"""Do the private servers of the tests start, answer, survive a kill and leave nothing behind?"""

from collections.abc import Iterator
from pathlib import Path

import boto3
import kombu
import psycopg
import pytest

from tests.servers import Missing, ObjectStorage, PostgreSQL, RabbitMQ, Redis, Server, find, started


@pytest.fixture(scope="module")
def postgresql() -> Iterator[PostgreSQL]:
    with started(PostgreSQL) as server:
        yield server


def test_postgresql_keeps_what_was_committed_before_a_kill(postgresql: PostgreSQL) -> None:
    with psycopg.connect(postgresql.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")

    postgresql.kill9()
    postgresql.restart()

    with psycopg.connect(postgresql.url) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_postgresql_is_as_safe_as_a_real_one(postgresql: PostgreSQL) -> None:
    with psycopg.connect(postgresql.url) as connection:
        assert connection.execute("SHOW fsync").fetchone() == ("on",)


@pytest.mark.parametrize("kind", [RabbitMQ, Redis])
def test_a_broker_carries_a_message(kind: type[Server]) -> None:
    with started(kind) as broker, kombu.Connection(broker.url) as connection:
        queue = connection.SimpleQueue("letters")
        queue.put("hello")

        message = queue.get(timeout=10)

        assert message.payload == "hello"
        message.ack()
        queue.close()


def test_rabbitmq_answers_again_after_a_kill() -> None:
    with started(RabbitMQ) as broker:
        broker.kill9()
        broker.restart()

        with kombu.Connection(broker.url) as connection:
            connection.ensure_connection(max_retries=1, timeout=10)


def test_object_storage_has_a_bucket() -> None:
    with started(ObjectStorage) as storage:
        client = boto3.client(
            "s3",
            endpoint_url=storage.url,
            region_name="us-east-1",
            aws_access_key_id="tests",
            aws_secret_access_key="tests",
        )

        client.put_object(Bucket="piston", Key="a", Body=b"1")

        assert client.get_object(Bucket="piston", Key="a")["Body"].read() == b"1"


def test_a_server_leaves_no_process_and_no_folder_behind() -> None:
    with started(Redis) as broker:
        process = broker.process
        assert process

    assert not broker.folder.exists()
    assert not Path(f"/proc/{process.pid}").exists()


def test_a_program_that_is_missing_is_named_with_its_package() -> None:
    with pytest.raises(Missing, match=r"no-such-server was not found.*apt-get install no-such"):
        find("no-such-server", package="no-such")
