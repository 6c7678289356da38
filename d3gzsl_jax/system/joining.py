"""The options by which the processes of one run find each other, checked before JAX is loaded."""

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.text import shortened

ENVIRONMENT = "auto"
"""In place of a coordinator's address: a Cloud TPU, SLURM and the like tell a process where it stands."""


def check(coordinator: str, processes: int, process_id: int) -> None:
    """Refuses options that do not fit each other; see `startup.join`.

    Raises:
        UserError: naming the option.
    """
    if not coordinator:
        if processes or process_id >= 0:
            raise UserError("--processes and --process-id need --coordinator: host:port of the first process")
        return
    if coordinator == ENVIRONMENT:
        if processes or process_id >= 0:
            raise UserError("--coordinator=auto: the environment tells --processes and --process-id too; leave them out")
        return
    host, _, port = coordinator.rpartition(":")
    if not (host and port.isdecimal() and 0 < int(port) < 2**16):
        raise UserError(f"--coordinator={shortened(coordinator)}: expected host:port of the first process, or auto")
    if not 0 <= process_id < processes:
        raise UserError(
            f"--processes={processes} --process-id={process_id}: with --coordinator give how many processes there are, and each "
            "its number from 0"
        )
