"""Management commands for services."""
