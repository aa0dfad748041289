"""The settings of the storage for tasks' files: a folder, or a bucket."""

from __future__ import annotations

from typing import Any

from boto3.s3.transfer import TransferConfig
from botocore.config import Config

from piston.environment import read_text
from piston.settings.base import PISTON_DATA_DIR

PISTON_S3_BUCKET = read_text("PISTON_S3_BUCKET", "")  # empty: a folder below PISTON_DATA_DIR


def read_storage(bucket: str) -> dict[str, Any]:
    """Return the backend for the tasks' files: a folder, or this bucket."""
    if not bucket:
        folder = PISTON_DATA_DIR / "files"
        return {
            "BACKEND": "piston.storages.folder.SyncedFileStorage",
            "OPTIONS": {
                "location": str(folder),
                "file_permissions_mode": 0o600,
                "directory_permissions_mode": 0o700,
            },
        }
    return {
        "BACKEND": "piston.storages.s3.CheckedS3Storage",
        "OPTIONS": {
            "bucket_name": bucket,
            "endpoint_url": read_text("PISTON_S3_ENDPOINT_URL", "") or None,
            "region_name": read_text("PISTON_S3_REGION", "us-east-1"),
            "access_key": read_text("AWS_ACCESS_KEY_ID", "") or None,
            "secret_key": read_text("AWS_SECRET_ACCESS_KEY", "") or None,
            "default_acl": None,
            # an upload is read in its request's thread, which has its own database connection
            "transfer_config": TransferConfig(use_threads=False),
            "client_config": Config(
                connect_timeout=5,  # seconds
                read_timeout=30,
                retries={"max_attempts": 3, "mode": "standard"},
            ),
        },
    }


STORAGES = {
    "default": read_storage(PISTON_S3_BUCKET),
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
