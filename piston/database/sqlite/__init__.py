"""Django's SQLite, for a disk that may be full."""
