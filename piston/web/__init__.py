"""Serves slow, many and malicious clients, and holds no thread for them longer than it must.

A proxy and gunicorn's own worker are not enough, because a deployment without a proxy must stay
available too: `make run` has none. In gunicorn's worker a thread waits while a body arrives, and
while a client receives its answer. So a few slow clients, as many as there are threads, stop the
service for all others. A proxy helps and is recommended, but an upload that it streams is still
as slow as its client. The price of this package is that it overrides undocumented members of
gunicorn. Each module names the members on which it relies (`piston.relied_on`). After an upgrade
that changed one of them, no process starts.

A thread works on a request that has arrived. It waits for a client only while it holds one of the
slots for transfers (`piston.http.transfers`). Reasons and measurements: docs/adr/0014.
"""
