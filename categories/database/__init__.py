"""Writes and reads thousands of database rows at once."""
