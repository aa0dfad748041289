"""How are clients served that are slow, many, or malicious? Without a thread, as long as it goes.

Why we do not leave this to a proxy and gunicorn's own worker: a deployment without a proxy must
stay alive too. `make run` has none. In gunicorn's worker a thread waits while a body arrives and
while a client takes its answer. So a few slow clients, as many as there are threads, stop the
service for all others. A proxy in front helps, and is recommended, but an upload that it streams
is still as slow as its client. The price of this package is that it overrides members of gunicorn
that are not documented. Each module names those on which it relies (`piston.relied_on`), and after
an upgrade that changed one, no process starts.

A thread works on a request that is there, and waits for a client only while it holds one of the
slots for transfers (`piston.http.transfers`). Reasons and measurements: docs/adr/0014.
"""
