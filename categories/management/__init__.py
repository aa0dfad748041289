"""Management commands for categories."""
