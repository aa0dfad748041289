"""Django's SQLite backend, made for a disk that may be full."""
