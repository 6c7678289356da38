"""Configurations of a study's runs: made quiet, and read with their data as runs record them."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from ml_collections import ConfigDict

from d3gzsl_jax.config import check
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs.folder import plain

if TYPE_CHECKING:
    from d3gzsl_jax.data.benchmark import GZSLData


class Known(NamedTuple):
    """A configuration with its data.

    Attributes:
        config: with what it leaves to be chosen by the data.
        digests: of the data, see `GZSLData.digests`.
        has_unseen: whether there are test rows of unseen classes.
    """

    config: ConfigDict
    digests: Mapping[str, str]
    has_unseen: bool


def prepared(config: ConfigDict, report: bool = False) -> ConfigDict:
    """Without TensorFlow, which takes seconds to start and orders the same rows; quiet."""
    if config.data.pipeline == "auto":
        config.data.pipeline = "device"
    config.log.report = report
    return config


def data_key(config: ConfigDict) -> str:
    """What of a configuration says which data `load` returns: configurations with equal ones need it read once."""
    fields = {name: value for name, value in config.data.to_dict().items() if name not in ("scaling", "pipeline")}
    return json.dumps([config.dataset, plain(fields)], sort_keys=True)


def read(configs: Mapping[str, ConfigDict], with_baselines: bool = False) -> dict[str, Known]:
    """What each becomes with its data, each data read once.

    Args:
        configs: checked, by what they are called in messages.
        with_baselines: whether baselines without synthesis are to be chosen on the folds of each, whatever runs are chosen by.

    Raises:
        UserError: the data is not there, or has no test rows that a configuration, or no folds that a baseline needs.
    """
    from d3gzsl_jax.data.load import load  # loads JAX

    by_data: dict[str, list[str]] = {}
    for name, config in configs.items():
        by_data.setdefault(data_key(config), []).append(name)
    found: dict[str, Known] = {}
    for same in by_data.values():
        first = configs[same[0]]
        data = load(first.dataset, first.data)
        for name in same:
            try:
                found[name] = known(configs[name], data, with_baselines)
            except UserError as error:
                raise UserError(f"{name}: {error}") from None
    return {name: found[name] for name in configs}


def known(config: ConfigDict, data: "GZSLData", with_baselines: bool = False) -> Known:
    """What a configuration becomes with its data; arguments as of `read`.

    Raises:
        UserError: the data has no test rows that the configuration, or no folds that a baseline needs.
    """
    from d3gzsl_jax.runs.feature_settings import resolved
    from d3gzsl_jax.runs.sizes import folds_of, sized
    from d3gzsl_jax.studies.baselines.harness import CRITERION

    has_unseen = bool(len(data.test_unseen))
    check.check_known(config, bool(len(data.test_seen)), has_unseen)
    config = resolved(sized(config, data), data)
    if with_baselines:
        folds_of(config, data, CRITERION)
    return Known(config, data.digests, has_unseen)
