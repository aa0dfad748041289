#!/usr/bin/env python
"""Run a management command of Piston Tasks."""

import errno
import os
import sys


def main() -> None:
    """Hand the command line to Django; wrong settings are a sentence, not a traceback."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "piston.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(str(error))
    except Exception as error:
        if sentence := full_disk(error):
            sys.exit(sentence)
        raise


def full_disk(error: Exception) -> str | None:
    """Return what to do when the error means that the disk is full, None for other errors."""
    try:
        from django.conf import settings

        from piston.disk_reserve import is_full

        if is_full(error):
            is_ours = settings.DATABASE_IS_EMBEDDED or isinstance(error, OSError)
            whose = settings.PISTON_DATA_DIR if is_ours else "the database server"
            return f"The disk of {whose} is full. Make room on it and try again."
    except OSError:  # of settings that could not be read: the secret key was not to be written
        if getattr(error, "errno", None) in {errno.ENOSPC, errno.EDQUOT}:
            return f"The disk is full: {error}. Make room on it and try again."
    return None


if __name__ == "__main__":
    main()
