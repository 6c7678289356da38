"""Scaling and the generator's output for features as they are: what 'auto' means for them, and what does not go together."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from ml_collections import ConfigDict

from d3gzsl_jax.data.benchmark import GZSLData
from d3gzsl_jax.data.feature_profile import FeatureProfile, profile
from d3gzsl_jax.data.scaling import LARGEST
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.frameworks.base import Framework
from d3gzsl_jax.frameworks.registry import FRAMEWORKS

AUTO, PUBLISHED = "auto", "published"


class Settings(NamedTuple):
    """config.data.scaling and config.networks.output."""

    scaling: str
    output: str


def has_auto(config: ConfigDict) -> bool:
    """Whether something is to be chosen by the features."""
    return AUTO in (config.data.scaling, config.networks.output)


def resolved(config: ConfigDict, data: GZSLData, say: Callable[[str], None] | None = None) -> ConfigDict:
    """The configuration with what is chosen by the features in the place of 'auto', which `say` is told; itself where nothing
    is."""
    if not has_auto(config):
        return config
    features = profile(data.features[data.trainval])
    own = config.copy_and_resolve_references()
    own.data.scaling, own.networks.output = chosen = choose(config, features)
    if say:
        say(_why(config, chosen, features))
    return own


def choose(config: ConfigDict, features: FeatureProfile) -> Settings:
    """What 'auto' means for features that look so; a setting that is given stays, and the other one is chosen to suit it.

    Features as after a ReLU: as published. Dense ones, as most others are: standard scaling and a generator that ends in no
    activation, where the base method can do with that; else as published.
    """
    scaling, output, framework = config.data.scaling, config.networks.output, FRAMEWORKS[config.framework]
    can = "linear" in framework.outputs and not framework.unit_range
    if scaling == AUTO:
        ends_in = framework.outputs[0] if output == PUBLISHED else output
        scaling = "standard" if can and features.is_dense and ends_in in (AUTO, "linear") else "minmax"
    if output == AUTO:
        two_sided = scaling == "standard" or features.is_dense
        output = "linear" if can and two_sided and framework.outputs[0] != "linear" else PUBLISHED
    return Settings(scaling, output)


def _why(config: ConfigDict, chosen: Settings, features: FeatureProfile) -> str:
    """What was chosen in the place of 'auto', and by what, for people."""
    given = {"data.scaling": config.data.scaling, "networks.output": config.networks.output}
    told = [f"config.{name}=auto: {found}" for (name, value), found in zip(given.items(), chosen, strict=True) if value == AUTO]
    looks = "dense" + (" and two-sided" if features.is_two_sided else "") if features.is_dense else "mostly near 0, as after a ReLU"
    needs = features.is_dense and FRAMEWORKS[config.framework].unit_range
    but = f", but {config.framework} needs scaled features in [0, 1]" if needs else ""
    return f"{', '.join(told)} (the features are {looks}{but})"


def check_suited(config: ConfigDict, data: GZSLData, framework: Framework) -> None:
    """Refuses features that the scaling leaves where the base method cannot use them.

    Args:
        config: resolved.
        data: validated.
        framework: of the configuration.

    Raises:
        UserError: naming the option, and what to give instead.
    """
    kind, given = config.data.scaling, f"config.data.scaling={config.data.scaling!r}"
    if kind == "minmax":
        return
    for name, rows in (("features", data.features), ("representations", data.representations)):
        if rows is None or (name == "representations" and not framework.takes_representations):
            continue
        low, high = (float(of(rows[data.trainval])) for of in (np.min, np.max))
        if kind == "none" and max(-low, high) > LARGEST:
            raise UserError(
                f"{given}: {data.key(name)} reach {max(-low, high):.0e}, which float32 cannot compute with; give 'minmax'"
            )
        if framework.unit_range and (kind == "standard" or low < 0 or (kind == "none" and high > 1)):
            raise UserError(
                f"{given}: {config.framework} needs scaled features in [0, 1], and {data.key(name)} would not lie there; give "
                "'minmax'"
            )
