"""Configurations of a study's runs: made quiet, and read with their data as runs record them."""

import json
from collections.abc import Mapping
from typing import NamedTuple

from ml_collections import ConfigDict

from d3gzsl_jax.config import check
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs.folder import plain


class Known(NamedTuple):
    """A configuration with what it leaves to be chosen by its data, and the digests of that data, see `GZSLData.digests`."""

    config: ConfigDict
    digests: Mapping[str, str]


def prepared(config: ConfigDict, report: bool = False) -> ConfigDict:
    """Without TensorFlow, which takes seconds to start and orders the same rows; quiet."""
    if config.data.pipeline == "auto":
        config.data.pipeline = "device"
    config.log.report = report
    return config


def read(configs: Mapping[str, ConfigDict]) -> dict[str, Known]:
    """What each becomes with its data, each data read once.

    Args:
        configs: checked, by what they are called in messages.

    Raises:
        UserError: the data is not there, or has no test rows that a configuration needs.
    """
    from d3gzsl_jax.data.load import load  # loads JAX
    from d3gzsl_jax.runs.feature_settings import resolved
    from d3gzsl_jax.runs.sizes import sized

    by_data: dict[str, list[str]] = {}
    for name, config in configs.items():
        by_data.setdefault(json.dumps([config.dataset, plain(config.data.to_dict())], sort_keys=True), []).append(name)
    found: dict[str, Known] = {}
    for same in by_data.values():
        first = configs[same[0]]
        data = load(first.dataset, first.data)
        for name in same:
            try:
                check.check_known(configs[name], bool(len(data.test_seen)), bool(len(data.test_unseen)))
                found[name] = Known(resolved(sized(configs[name], data), data), data.digests)
            except UserError as error:
                raise UserError(f"{name}: {error}") from None
    return {name: found[name] for name in configs}
