"""The default configuration: every field at the value that d3gzsl_jax/config/schema.py says (docs/configuration.md lists them).

Other files in this folder call `get_config` from here and change what differs. On the command line any field is overridden by
`--config.group.field=value`. Sizes and class counts are never typed: they are read off the data. `--config=FILE.py:base` leaves D3
out: the framework alone, predicting by the final classifier.
"""

from ml_collections import ConfigDict

from d3gzsl_jax.config import schema
from d3gzsl_jax.config.variants import VariantError


def get_config(variant: str = "d3") -> ConfigDict:
    """The default configuration: 'd3' with D3 on its framework, 'base' without."""
    if variant not in schema.VARIANTS:
        raise VariantError(f"unknown variant {variant!r} after the colon, expected one of {', '.join(schema.VARIANTS)}")
    return ConfigDict(schema.nested(schema.defaults(variant)))
