"""Management commands, one per file: manage.py NAME."""
