"""Django storages for files: a folder, or S3."""
