"""What all processes share in using the database, whether PostgreSQL or SQLite."""
