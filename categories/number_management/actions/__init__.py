"""The actions on numbers, one per file."""
