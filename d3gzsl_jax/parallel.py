"""Which devices a run trains on, by config.parallel and what there is."""

import jax
from ml_collections import ConfigDict

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.training.sharding import Sharding, over_devices


def sharding_of(config: ConfigDict) -> Sharding:
    """The sharding of a run.

    Raises:
        UserError: there are not so many devices, a process would have none, or the batch cannot be split evenly.
    """
    wanted, there, batch = config.parallel.devices, jax.device_count(), config.train.batch_size
    if wanted > there:
        raise UserError(f"config.parallel.devices={wanted}: there are {there}; give at most that, or 0 for all")
    if jax.process_count() > 1 and wanted not in (0, there):
        raise UserError(
            f"config.parallel.devices={wanted}: {jax.process_count()} processes train on all of their {there} devices; give 0"
        )
    count = wanted or there
    if batch % count:
        fitting = max(n for n in range(1, count) if batch % n == 0)
        raise UserError(
            f"config.train.batch_size={batch}: cannot be split evenly over {count} devices; give a multiple of {count}, or "
            f"--config.parallel.devices={fitting}" + (" (in one process)" if jax.process_count() > 1 else "")
        )
    return over_devices(count)
