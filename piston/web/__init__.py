"""How are clients served that are slow, many, or malicious? Without a thread, as long as it goes.

A thread works on a request that is there, and waits for a client only while it holds one of the
places for transfers (`piston.http.transfers`). Reasons and measurements: docs/adr/0014.
"""
