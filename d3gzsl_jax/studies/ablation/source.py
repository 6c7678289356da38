"""On what data the figures of a run are, and between which of them a difference means something."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from d3gzsl_jax.runs.folder import plain
from d3gzsl_jax.runs.unknown_figures import FOLD_FIELDS

RULE = (
    "Differences are formed on the same data only, told by its content, or where configurations differ in nothing of the data but "
    "config.data.stress; elsewhere they are —."
)
"""`Source.comparable` in words, for the footer of a table."""


class Source(NamedTuple):
    """The data behind figures, as two digests.

    Attributes:
        content: of features, semantics and split; where figures are of folds alone, of what the folds follow from, too.
        unstressed: of what the configuration says of the data, but for its stress; likewise of folds.
    """

    content: str
    unstressed: str

    @classmethod
    def of(cls, digests: Mapping[str, str], config: Mapping[str, Any], on_folds: bool = False) -> "Source":
        """Of data with these content digests, and the nested configuration that names it; `on_folds`: of figures that are of
        folds alone, as those of a run that stops after validation are in any case."""
        folds = folds_of(config) if on_folds or not config["eval"]["retrain"] else None
        named = {field: value for field, value in config["data"].items() if field not in ("stress", "pipeline")}
        return cls(_short([dict(digests), folds]), _short([plain(named), folds]))

    def comparable(self, other: "Source") -> bool:
        """Whether a difference to figures on `other` means something."""
        return self.content == other.content or self.unstressed == other.unstressed


def folds_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """What the folds follow from, besides the data."""
    return {field: config["eval"][field] for field in FOLD_FIELDS}


def _short(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]
