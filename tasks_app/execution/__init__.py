"""Runs a slice: claims a segment, runs and commits its batches, and releases it.

`worker` runs one slice: `scheduling` claims the next segment in turn, `batches` runs its batches
(`external` sends rows to the outside), and `ledger` commits each.
"""
