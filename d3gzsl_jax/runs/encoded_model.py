"""What pictures to predict and new classes in words both ask of a trained model, and whether a file was made by its encoders."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

from d3gzsl_jax.data.formats import encoder_notes
from d3gzsl_jax.encoders import weights
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.text import shortened


class EncodedModel(Protocol):
    """A `TrainedModel`, as far as it says what made its features and semantics."""

    @property
    def encoders(self) -> Mapping[str, Any] | None:
        """Notes of what made its features and its semantics."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """By id."""


_MAKES = {"image": "features", "text": "semantics"}


def check_made_alike(model: EncodedModel, path: Path, side: Literal["image", "text"]) -> None:
    """Refuses what another encoder made than the model was trained with; nothing is said where the file, or the model, does not say
    what made it.

    Args:
        model: it has notes where it was trained on what `d3gzsl embed` wrote.
        path: of features ('image'), or of semantics ('text').
        side: which encoder is meant.

    Raises:
        UserError: naming both encoders.
    """
    known = (model.encoders or {}).get(side)
    noted = encoder_notes.of_file(path).get(side) if known else None
    if not (isinstance(known, Mapping) and isinstance(noted, Mapping)):
        return
    if what := weights.difference(known, noted):
        raise UserError(
            f"{path}: its {_MAKES[side]} were made by another {side} encoder than those that the model was trained on: "
            f"{shortened(noted.get('name'))}, not {shortened(known.get('name'))}, by {what}; make them by the latter"
        )
