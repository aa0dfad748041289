"""Is a channel whose connection is gone closed as quietly as any other?"""

from __future__ import annotations

import kombu
import pytest

from piston import redis_broker
from tests.servers import Redis, started


def test_a_channel_is_closed_with_messages_in_hand_after_its_connection_was() -> None:
    redis_broker.take_over()
    with started(Redis) as server:
        connection = kombu.Connection(server.url)
        channel = connection.default_channel
        channel.queue_declare("slices")
        channel.basic_publish(channel.prepare_message("x"), "", "slices")
        assert channel.basic_get("slices") is not None
        channel._disconnect_pools()
        connection.transport.client = None

        server.kill9()
        connection.maybe_close_channel(channel)

        with pytest.raises(connection.connection_errors, match="closed"):
            channel._connparams()
