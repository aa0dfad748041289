"""What does a worker do with a slice? Claim a segment, run batches, commit each, hand it back.

`slices` runs one slice: `turns` claims the segment whose turn it is, `batches` runs its batches
(`attempts` calls the action, `effects` the outside), `ledger` commits each.
"""
