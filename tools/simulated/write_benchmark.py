"""How the tools beside it write the benchmark they simulate."""

import sys
from collections.abc import Callable

from d3gzsl_jax.data.benchmark import GZSLData
from d3gzsl_jax.data.formats.open_npz import is_npz, write_npz
from d3gzsl_jax.data.validate import validate
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs import contents


def write_benchmark(tool: str, target: str, simulate: Callable[[], GZSLData]) -> int:
    """Writes what `simulate` gives, and says so.

    Args:
        tool: its name, for errors.
        target: the .npz, as --output gives it; the place is looked at before anything is simulated.
        simulate: makes the data.

    Returns:
        The exit code: 0, or 2 where it cannot be written.
    """
    try:
        output = contents.output(target, "--output", is_npz, "benchmark")
        data = validate(simulate())
        output.parent.mkdir(parents=True, exist_ok=True)
        write_npz(output, data)
    except (UserError, OSError) as error:
        print(f"{tool}: {error}", file=sys.stderr)
        return 2
    print(f"{output}: {len(data.labels)} rows of {data.feature_size} features, {data.class_count} classes")
    return 0
