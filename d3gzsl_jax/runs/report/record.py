"""A run folder read back: its configuration, log, results and arrays, as plots and page want them."""

import dataclasses
import functools
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from d3gzsl_jax.config import saved_config
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs import contents, json_files
from d3gzsl_jax.text import clean_name, shortened

_DOMAINS = ("seen", "unseen")
_SHAPES = {"confusion": (2, 2), "projection/real": (None, 2), "projection/synthesized": (None, 2), "class_confusion": (None, 3)}
"""Shapes of arrays of diagnostics.npz, None for any size; all others are lists of numbers."""


class ClassAccuracy(NamedTuple):
    """Of one class: its name, accuracy in [0, 1], and 'seen', 'unseen' or '' where the folder does not say."""

    name: str
    accuracy: float
    domain: str


@dataclasses.dataclass(frozen=True)
class Recorded:
    """What a run folder holds. Whatever is missing is empty.

    Attributes:
        config: the resolved configuration, nested. overrides: of it, what the command line set, by dotted name.
        starts: one entry per start of the run, the first and every resumption: time, versions, device, ...
        lines: of metrics.jsonl, one per evaluation, in order.
        results: results.json.
        diagnostics: the arrays of diagnostics.npz.
    """

    config: dict[str, Any]
    overrides: dict[str, Any]
    starts: list[dict[str, Any]]
    lines: list[dict[str, Any]]
    results: dict[str, Any]
    diagnostics: dict[str, np.ndarray]

    @classmethod
    def read(cls, folder: Path) -> "Recorded":
        """Reads a folder.

        Raises:
            UserError: it is no run, or a file in it is damaged.
        """
        folder = Path(folder)
        if (config := json_files.read(folder / "config.json")) is None:
            missing = contents.no_run(folder) if folder.is_dir() else "no such folder"
            raise UserError(f"{folder}: {missing}; name the folder of a run, such as runs/digits-20260102-030405")
        return cls(
            config=saved_config.nested(config, folder / "config.json"),
            overrides=json_files.read(folder / "overrides.json") or {},
            starts=(json_files.read(folder / "environment.json") or {}).get("starts") or [],
            lines=json_files.read_lines(folder / "metrics.jsonl"),
            results=json_files.read(folder / "results.json") or {},
            diagnostics=_diagnostics(folder / "diagnostics.npz"),
        )

    def setting(self, *keys: str) -> Any:
        """A field of the configuration, None where it is unknown."""
        return _inside(self.config, keys)

    def names(self, *keys: str) -> list[str]:
        """The names found under `keys` in any line, in order of appearance."""
        return list(dict.fromkeys(name for line in self.lines for name in _inside(line, keys) or {}))

    def series(self, *keys: str) -> tuple[np.ndarray, np.ndarray]:
        """Epochs (n,) and values (n,) float64 of one number over the lines that have it, NaN where it is null. An interrupted epoch
        counts as the part of it that was trained."""
        found = {}
        for line in self.lines:
            value = _inside(line, keys)
            if value is not None or keys[-1] in (_inside(line, keys[:-1]) or {}):
                found[self.epoch(line)] = value if isinstance(value, int | float) else math.nan
        return np.array(sorted(found), float), np.array([found[epoch] for epoch in sorted(found)], float)

    def epoch(self, line: dict[str, Any]) -> float:
        """Epochs trained up to a line; a fraction where the run was interrupted within one."""
        epoch, step = line.get("epoch") or 0, line.get("step")
        return max(step / self._steps_per_epoch, epoch) if step and self._steps_per_epoch else epoch

    @functools.cached_property
    def _steps_per_epoch(self) -> float:
        """0 if unknown. Whole epochs have the fewest steps an epoch, so the smallest ratio is the length of one."""
        return min((line["step"] / line["epoch"] for line in self.lines if line.get("step") and line.get("epoch")), default=0.0)

    @property
    def predictions(self) -> dict[str, dict[str, Any]]:
        """Metrics, per-class accuracies and test-selected figures by predictor: of results.json or, while there is none, the newest
        metrics of each."""
        newest = {name: {"metrics": values} for line in self.lines for name, values in (line.get("predictions") or {}).items()}
        return {name: found for name, found in (self.results.get("predictions") or newest).items() if isinstance(found, dict)}

    def finite(self, name: str) -> np.ndarray:
        """The finite values of an array of diagnostics, (n,); none where there is no such array."""
        values = np.ravel(self.diagnostics.get(name, np.zeros(0))).astype(np.float64)
        return values[np.isfinite(values)]

    def diagnosed(self, kind: str) -> list[str]:
        """The predictors with arrays 'kind/predictor...' in diagnostics that hold finite values, in the order of `predictions`."""
        names = {name.split("/")[1] for name in self.diagnostics if name.startswith(f"{kind}/") and self.finite(name).size}
        return [*(name for name in self.predictions if name in names), *sorted(names - set(self.predictions))]

    @functools.cached_property
    def class_names(self) -> dict[int, str]:
        """Names by id, of the classes results.json names; 'id name' where two classes share a name."""
        keys = {key: None for found in self.predictions.values() for key in found.get("per_class") or {}}
        pairs = [key.partition(" ")[::2] for key in keys]
        unique = len({name for _, name in pairs}) == len(pairs)
        return {int(label): name if unique and name else f"{label} {name}" for label, name in pairs}

    def accuracies(self, predictor: str) -> list[ClassAccuracy]:
        """The classes with test rows by id, with what `predictor` reached at the end."""
        domains, names = self.domains, self.class_names
        per_class = self.predictions[predictor].get("per_class") or {}
        known = [(int(key.partition(" ")[0]), value) for key, value in per_class.items() if value is not None]
        return [ClassAccuracy(names[label], value, domains.get(label, "")) for label, value in known]

    def sides(self, predictor: str) -> np.ndarray | None:
        """Rows by what they are and what they are taken for, (2, 2) int64, [seen, unseen] x [seen, unseen]; None where the folder
        does not say."""
        counts = self.diagnostics.get(f"confusion/{predictor}")
        return None if counts is None or not _are_counts(counts) else counts.astype(np.int64)

    def class_confusion(self, predictor: str) -> np.ndarray:
        """Rows by class and the class they are taken for, (k, 3) int64: class, taken for, how many; none where the folder does not
        say."""
        found = self.diagnostics.get(f"class_confusion/{predictor}", np.zeros((0, 3)))
        return found.astype(np.int64)[found[:, 2] > 0] if _are_counts(found) else np.zeros((0, 3), np.int64)

    def class_name(self, label: int) -> str:
        """The name of a class on one line, its id where there is none."""
        return clean_name(self.class_names.get(label, "")) or str(label)

    @functools.cached_property
    def domains(self) -> dict[int, str]:
        """'seen' or 'unseen' by class id; empty where the folder does not say."""
        classes = self.results.get("classes")
        if classes:
            return {int(label): domain for domain in _DOMAINS for label in classes.get(domain) or []}
        # Otherwise the projected rows tell: they are of unseen classes. Of all of them, if their mean accuracy is U.
        labels = np.concatenate([self.finite(f"projection/{kind}_labels") for kind in ("real", "synthesized")]).astype(int)
        unseen = set(labels.tolist())
        per_class, u = self.results.get("per_class") or {}, (self.results.get("metrics") or {}).get("unseen")
        values = [value for key, value in per_class.items() if value is not None and int(key.partition(" ")[0]) in unseen]
        if u is None or not values or not math.isclose(sum(values) / len(values), u, abs_tol=1e-6):
            return {}
        return {label: _DOMAINS[label in unseen] for label in self.class_names}


def _are_counts(array: np.ndarray) -> bool:
    """Whether an array holds whole numbers that count or name something."""
    return bool(np.isfinite(array).all() and (array >= 0).all() and (array < 2**53).all() and (array == np.floor(array)).all())


def _inside(value: Any, keys: tuple[str, ...]) -> Any:
    """value[keys[0]][keys[1]]..., None where there is no such thing."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _diagnostics(path: Path) -> dict[str, np.ndarray]:
    """All arrays of diagnostics.npz, each of the shape it is drawn by; {} where there is no file."""
    found = json_files.read_arrays(path) or {}
    for name, array in found.items():
        shape: tuple[int | None, ...] = _SHAPES.get(name) or _SHAPES.get(name.split("/")[0]) or (None,)
        if array.ndim != len(shape) or any(size not in (None, own) for size, own in zip(shape, array.shape, strict=True)):
            raise UserError(f"{path}: damaged ({shortened(name)} has shape {array.shape}); remove it, or restore it from a copy")
        whole, _, part = name.rpartition("/")
        if (part in ("unseen", "seen") and array.shape != found.get(f"{whole}/gamma", array).shape) or (
            name.startswith("confusion/") and whole != "confusion"
        ):
            raise UserError(f"{path}: damaged ({shortened(name)} does not belong there); remove it, or restore it from a copy")
    return found
