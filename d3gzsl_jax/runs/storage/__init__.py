"""How a run folder is kept: locks, checkpoints on disk, digests, buckets."""
