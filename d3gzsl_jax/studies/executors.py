"""Where the jobs of a study are done: the options that say so, and what does them."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.studies import cluster
from d3gzsl_jax.studies.worker_pool import Here, Pool, default_workers
from d3gzsl_jax.system.extras import require
from d3gzsl_jax.system.options import Parser, one_of, whole

FOLDER = "submitted"
"""In the folder of a study: what submitit sends and gets back."""


def add_options(parser: Parser, of_cluster: str) -> None:
    """Adds the options. `of_cluster`: what --workers means with --executor."""
    parser.add_argument(
        "--workers", type=whole(0), default=0, metavar="N",
        help=f"processes (default: one a core, or one); with --executor {of_cluster}",
    )
    parser.add_argument(
        "--executor", type=one_of(*cluster.KINDS), metavar="slurm|local",
        help="submit each job by submitit, to Slurm or as a process of this machine (default: processes of this machine)",
    )
    parser.add_argument(
        "--executor-parameters", default="", metavar="KEY=VALUE,...",
        help="for submitit: partition=gpu,timeout_min=120,cpus_per_task=8",
    )


def check(arguments: argparse.Namespace) -> None:
    """Refuses options that cannot be met, before anything is computed; reads --executor-parameters.

    Raises:
        UserError: they make no sense, submitit is missing, or there is no such cluster here.
    """
    if arguments.executor_parameters and not arguments.executor:
        raise UserError("--executor-parameters: are of --executor, which is not given")
    arguments.executor_parameters = cluster.parameters_of(arguments.executor_parameters)
    if arguments.executor:
        require("submitit", "cluster", f"--executor={arguments.executor}")
        cluster.require(arguments.executor, arguments.executor_parameters)


def executor(
    arguments: argparse.Namespace, work: Callable[[Any], Any], output: Path, count: int, most: int = 0
) -> "Here | Pool | cluster.Cluster":
    """What does the jobs of a study, as the options say; a context manager with `finished`.

    Args:
        arguments: with the options, checked.
        work: called with a job.
        output: folder of the study.
        count: how many jobs there are to do.
        most: how many are submitted at a time where --workers does not say; 0 for all.

    Raises:
        UserError: there is no such cluster here.
    """
    if arguments.executor:
        return cluster.Cluster(
            work, arguments.executor, arguments.executor_parameters, output / FOLDER, arguments.workers or most
        )
    workers = arguments.workers or default_workers()
    return Here(work) if workers == 1 else Pool(work, workers, min(workers, count))
