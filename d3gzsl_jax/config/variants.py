"""The words after the colon of --config=configs/cub.py:cegzsl,base: framework, with D3 or without, and options of the file."""

import dataclasses
import difflib
import itertools
from collections.abc import Mapping
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from d3gzsl_jax.config.schema import VARIANTS
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.text import cut


class VariantError(UserError):
    """What is after the colon is no variant; whoever knows the whole of --config names it before."""


D3_WEIGHTS = "distillation.weight_"
"""How the names of fields begin that the variant without D3 leaves at 0."""
Fields = Mapping[str, Any]
"""Values by dotted field."""


class Figures(NamedTuple):
    """Published accuracies, percent."""

    unseen: float
    seen: float
    harmonic: float
    source: str


@dataclasses.dataclass(frozen=True)
class Variant:
    """What the words choose.

    Attributes:
        framework: its name.
        d3: 'd3' or 'base', for `default.get_config`.
        fields: those of the framework, then of the options, that differ from those of the file.
    """

    framework: str
    d3: str
    fields: Fields

    @property
    def has_d3(self) -> bool:
        """Whether it is with D3."""
        return self.d3 == "d3"

    def applied(self, config: ConfigDict) -> ConfigDict:
        """The configuration of the file, with the framework and its fields."""
        config.framework = self.framework
        fields = {name: value for name, value in self.fields.items() if self.has_d3 or not name.startswith(D3_WEIGHTS)}
        config.update_from_flattened_dict(fields)
        return config


def parse(variant: str, frameworks: Mapping[str, Fields], options: Mapping[str, Fields] | None = None) -> Variant:
    """What the words of a variant choose, in any order: a framework (else the first), d3 (else) or base, any of the options.

    Args:
        variant: words with commas between; '' for none.
        frameworks: fields by framework that the file has settings for.
        options: fields by further word.

    Raises:
        VariantError: a word is unknown, or two exclude each other; with the words there are.
    """
    options = options or {}
    known = (*VARIANTS, *frameworks, *options)
    words = [word.strip() for word in variant.split(",")] if variant.strip() else []
    for word in words:
        if word not in known:
            near = difflib.get_close_matches(word, known, n=1)
            guess = f"; did you mean {near[0]!r}?" if near else ""
            raise VariantError(f"unknown variant {cut(repr(word))} after the colon, expected one of {', '.join(known)}{guess}")
    for kind in (VARIANTS, tuple(frameworks)):
        if len(given := [word for word in words if word in kind]) > 1:
            raise VariantError(f"variant {variant!r} after the colon has {' and '.join(given)}; give one of {', '.join(kind)}")
    for one, other in itertools.combinations([word for word in words if word in options], 2):
        for field in sorted(options[one].keys() & options[other].keys()):
            if options[one][field] != options[other][field]:
                raise VariantError(f"variant {variant!r} after the colon has {one} and {other}, which set config.{field}; give one")
    framework = next((word for word in words if word in frameworks), next(iter(frameworks)))
    d3 = next((word for word in words if word in VARIANTS), VARIANTS[0])
    fields = dict(frameworks[framework])
    for word in words:
        fields |= options.get(word, {})
    return Variant(framework, d3, fields)
