"""Where do files lie? In a folder or in S3, as Django storages."""
