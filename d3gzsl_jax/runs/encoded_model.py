"""What pictures to predict and new classes in words both ask of a trained model."""

from collections.abc import Mapping
from typing import Any, Protocol


class EncodedModel(Protocol):
    """A `TrainedModel`, as far as it says what made its features and semantics."""

    @property
    def encoders(self) -> Mapping[str, Any] | None:
        """Notes of what made its features and its semantics."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """By id."""
