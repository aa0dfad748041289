"""Django's PostgreSQL backend, with sessions that have our time-outs even behind a pooler."""
