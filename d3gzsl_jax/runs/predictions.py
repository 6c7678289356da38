"""What a model says of feature rows: classes, their names and probabilities; and the columns of a table of them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from d3gzsl_jax.runs.truth import Truth
from d3gzsl_jax.system.extras import require

if TYPE_CHECKING:
    import pandas


class Predictions(NamedTuple):
    """Of n rows, the k most probable classes, most probable first.

    Attributes:
        classes: (n, k) int32 class ids.
        probabilities: (n, k) float32, softmax over all classes, in [0, 1].
        seen: (n,) float32, the probability of all seen classes together, in [0, 1].
        in_distribution: (n,) float32, the frozen teacher's largest probability of a seen class, in (0, 1]: high for rows like those
            it was trained on, low for others; None for a model without D3, which has no teacher.
        class_names: of all classes, by id.
        row_names: of the rows, as the names of picture files; None where they have none.
        truth: the classes the rows are known to be of; None where nothing is known.
    """

    classes: np.ndarray
    probabilities: np.ndarray
    seen: np.ndarray
    in_distribution: np.ndarray | None
    class_names: tuple[str, ...]
    row_names: tuple[str, ...] | None = None
    truth: Truth | None = None

    @classmethod
    def of(cls, arrays: Sequence[Any], class_names: tuple[str, ...]) -> "Predictions":
        """From `arrays`, in order."""
        classes, probabilities, seen, in_distribution = arrays
        return cls(classes, probabilities, seen, in_distribution, class_names)

    @property
    def arrays(self) -> tuple[Any, ...]:
        """What there is a row of for each row, in order."""
        return tuple(self)[:4]

    @property
    def names(self) -> np.ndarray:
        """(n, k) names of `classes`, as an array of objects."""
        return np.array(self.class_names, object)[np.asarray(self.classes)]

    def to_dataframe(self) -> "pandas.DataFrame":
        """A pandas table with the columns of `columns`, those of the CSV that predict writes.

        Raises:
            UserError: pandas is not installed.
        """
        require("pandas", "dataframe", "Predictions.to_dataframe")
        import pandas

        return pandas.DataFrame(self.columns())

    def columns(self, first: int = 0) -> dict[str, np.ndarray]:
        """The columns of a table, by name: row, counted from `first`; file, the row's name, where rows have one; class, name and
        probability of the best class; seen_probability; in_distribution (NaN without a teacher); class_2, name_2, probability_2 and
        so on; and, where it is known, true_class (NaN of a class that the model does not know) and true_name."""
        ranks = zip(np.asarray(self.classes).T, self.names.T, np.asarray(self.probabilities).T, strict=True)
        (best, *further), rows = ranks, len(self.classes)
        like = np.full(rows, np.nan, np.float32) if self.in_distribution is None else np.asarray(self.in_distribution)
        named = [] if self.row_names is None else [np.array(self.row_names, object)]
        known = [] if self.truth is None else [self.truth.ids_or_nan, np.array(self.truth.names, object)]
        others = (column for rank in further for column in rank)
        values = [np.arange(first, first + rows), *named, *best, np.asarray(self.seen), like, *others, *known]
        return dict(zip(column_names(self.classes.shape[1], bool(named), bool(known)), values, strict=True))

    def __repr__(self) -> str:
        rows, top = self.classes.shape
        if not rows:
            return "Predictions(no rows)"
        means = {"probability of the best class": self.probabilities[:, 0], "of all seen classes": self.seen}
        if self.in_distribution is not None:
            means["in_distribution"] = self.in_distribution
        said = ", ".join(f"{name} {np.asarray(values).mean():.2f}" for name, values in means.items())
        return f"Predictions({rows} rows, top {top} of {len(self.class_names)} classes; means: {said})"


def column_names(top: int, named: bool = False, known: bool = False) -> list[str]:
    """Of a table of the `top` classes of each row, see `Predictions.columns`.

    Args:
        top: how many.
        named: whether rows have names.
        known: whether it is known of which classes they are.
    """
    further = [f"{name}_{rank}" for rank in range(2, top + 1) for name in ("class", "name", "probability")]
    begin, truth = ["row", "file"] if named else ["row"], ["true_class", "true_name"] if known else []
    return [*begin, "class", "name", "probability", "seen_probability", "in_distribution", *further, *truth]
