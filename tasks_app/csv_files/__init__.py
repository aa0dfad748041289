"""Scans, reads, verifies and writes CSV files, without HTTP or storage."""
