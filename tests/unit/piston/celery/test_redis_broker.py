"""Can a worker's connection to Redis be closed when Redis is gone?"""

from __future__ import annotations

import logging

import kombu
import pytest

from piston.celery import redis_broker
from tests.servers import Redis, started


def test_a_connection_is_closed_that_was_lost_with_one_message_in_hand_and_asking_for_more() -> (
    None
):
    redis_broker.install()
    with started(Redis) as server:
        connection = kombu.Connection(server.url)
        channel = connection.default_channel
        channel.queue_declare("slices")
        channel.basic_publish(channel.prepare_message("x"), "", "slices")
        assert channel.basic_get("slices") is not None
        channel.basic_consume("slices", no_ack=False, callback=print, consumer_tag="worker")
        channel.connection.cycle._register_BRPOP(channel)

        server.kill9()
        connection.collect()
        connection.close()

    assert channel.closed


def test_an_acknowledgement_that_does_not_arrive_is_a_lost_connection() -> None:
    redis_broker.install()
    with started(Redis) as server:
        connection = kombu.Connection(server.url)
        channel = connection.default_channel
        channel.queue_declare("slices")
        channel.basic_publish(channel.prepare_message("x"), "", "slices")
        message = channel.basic_get("slices")
        assert message is not None

        server.kill9()

        with pytest.raises(connection.connection_errors):
            message.ack_log_error(logging.getLogger(), connection.connection_errors)
        with pytest.raises(connection.connection_errors):
            message.reject_log_error(logging.getLogger(), connection.connection_errors)
        connection.collect()
        connection.close()
