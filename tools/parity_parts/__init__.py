"""The parts of tools/parity.py: recorders, recordings, replays, the PyTorch oracle."""
