"""Django's PostgreSQL backend, with sessions that have our parameters even behind a pooler."""
