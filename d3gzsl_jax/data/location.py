"""Whether the files that config.data names are there: told before anything slow is imported."""

import contextlib
from collections.abc import Iterator

from ml_collections import ConfigDict

from d3gzsl_jax.data.formats.not_found import benchmark_files, missing_file, one_file
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.system import paths
from d3gzsl_jax.text import clean_name


@contextlib.contextmanager
def root_named(option: str) -> Iterator[None]:
    """What is refused in it calls `config.data.root` by `option`, of a command that has no options of fields.

    Raises:
        UserError: what was raised, with the other name.
    """
    try:
        yield
    except UserError as error:
        raise type(error)(str(error).replace("--config.data.root", option)) from None


def moved(config: ConfigDict, root: str) -> ConfigDict:
    """The configuration of a run whose data is now at `root`, '' for where it was.

    Raises:
        UserError: its data is in no file.
    """
    if not root:
        return config
    if config.data.source == "digits":
        raise UserError("--data-root: the data is the digits, which come with scikit-learn and lie nowhere else; leave it out")
    config = config.copy_and_resolve_references()
    config.data.root = root
    return config


def check_files(name: str, config: ConfigDict) -> None:
    """Refuses files or folders that are missing, as reading them would.

    Args:
        name: config.dataset.
        config: config.data; what TFDS reads is left to it.

    Raises:
        UserError: something is not there.
    """
    if config.source == "npz":
        if problem := missing_file(one_file(config.root)):
            raise UserError(problem)
    elif config.source == "mat":
        feature_file = paths.clean(config.feature_file, "--config.data.feature_file")
        benchmark_files(clean_name(name) or "data", paths.clean(config.root, "--config.data.root"), feature_file, config.semantics)
