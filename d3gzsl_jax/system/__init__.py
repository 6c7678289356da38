"""What the package asks of the machine: paths, whole files, the terminal, signals, processes, memory."""
