"""The stages of tools/accelerator.py, a file each; each runs in a process of its own (stage_process.py)."""
