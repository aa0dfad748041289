"""One module for each command: manage.py NAME."""
