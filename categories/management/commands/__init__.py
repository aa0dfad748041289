"""Management commands for categories, one per file."""
