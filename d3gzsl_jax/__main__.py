"""`python -m d3gzsl_jax`: the same as `d3gzsl`."""

import sys

from d3gzsl_jax.main import command

if __name__ == "__main__":
    sys.exit(command())
