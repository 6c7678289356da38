"""What a run's figures stand beside: chance, the base method without D3, and baselines, as far as folders around it know them."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from d3gzsl_jax.config.saved_config import with_added
from d3gzsl_jax.config.schema import framework_names
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs import contents, json_files
from d3gzsl_jax.runs.file_schemas import Results
from d3gzsl_jax.runs.resume import FOLDS_ONLY
from d3gzsl_jax.runs.unknown_figures import FOLD_FIELDS, of_folds

if TYPE_CHECKING:
    from d3gzsl_jax.runs.report.record import Recorded

FOLDER = "baselines"
"""The folder inside that of a run that `d3gzsl baselines --output` may be given, so that the run's page shows them."""

_MOST = 200  # files looked into


class Reference(NamedTuple):
    """What a run is compared with: the name of a framework or a baseline, whether it is the run's base method without D3, its seed,
    its metrics as fractions, the folder they are from, and where there are no test rows of unseen classes, means over the folds, if
    these are the run's."""

    name: str
    is_base: bool
    seed: int
    metrics: Mapping[str, float | None]
    source: str
    folds: Mapping[str, float | None] | None = None


def chance(run: "Recorded") -> dict[str, float | None] | None:
    """What guessing uniformly reaches, as fractions, from the numbers of classes; None where they are not known, as of folds.

    U, S and H are 1 / C of all C classes, T1 is 1 / |unseen|, and AUSUC is 1 / (2 |seen| |unseen|): with a gamma, S falls in a
    straight line from 1 / |seen| to 0 as U rises to 1 / |unseen|. What the run itself has no figure for stays unknown.
    """
    classes = run.results.get("classes") or {}
    seen, unseen = (len(set(classes.get(side) or [])) for side in ("seen", "unseen"))
    if not (seen and unseen) or run.results.get("selection") == FOLDS_ONLY:
        return None
    of_all = 1.0 / (seen + unseen)
    found = {"unseen": of_all, "seen": of_all, "harmonic": of_all, "zsl": 1.0 / unseen, "ausuc": 0.5 / (seen * unseen)}
    own = run.results.get("metrics") or {}
    return {name: value if own.get(name) is not None else None for name, value in found.items()}


def chance_of_folds(run: "Recorded") -> dict[str, float | None] | None:
    """`chance` among the classes of a fold, which are the seen ones of the run; None where they are not known."""
    from d3gzsl_jax.data.folds import held_out_of  # only such runs need it

    share, seen = run.setting("eval", "fold_classes"), len(set((run.results.get("classes") or {}).get("seen") or []))
    if not isinstance(share, float) or seen < 2:
        return None
    unseen = min(held_out_of(seen, share), seen - 1)
    of_all, area = 1.0 / seen, 0.5 / ((seen - unseen) * unseen)
    return {"unseen": of_all, "seen": of_all, "harmonic": of_all, "zsl": 1.0 / unseen, "ausuc": area}


def references(folder: Path, run: "Recorded") -> list[Reference]:
    """The base method without D3, if the run is one with D3, and baselines, on the same data: of each the one with the same seed
    and the most settings alike. They are looked for in FOLDER/baselines, beside the folder, and in the study it is a cell of; what
    is damaged there is passed over."""
    found: dict[str, tuple[tuple[bool, int], Reference]] = {}
    for path in _candidates(Path(folder)):
        try:
            results = json_files.read(path, Results) or {}
        except UserError:
            continue
        if not (name := _kind(results, run)):
            continue
        alike = _alike(with_added(results.get("config") or {}), run.config)
        key = (results.get("seed") == run.setting("seed"), alike)
        if name not in found or key > found[name][0]:
            is_base = results.get("prediction") != name
            folds = of_folds(results) if _folds(results.get("config") or {}) == _folds(run.config) else None
            source = "/".join(path.parent.parts[-2:])
            found[name] = key, Reference(name, is_base, results["seed"], results["metrics"], source, folds)
    return sorted((reference for _, reference in found.values()), key=lambda one: (not one.is_base, one.name))


def _candidates(folder: Path) -> Iterator[Path]:
    """Files results.json that may be of the same data."""
    folder = folder.absolute()
    patterns = [(folder / FOLDER, "*/seed-*"), (folder.parent, "*"), (folder.parent, "*/seed-*")]
    if contents.is_seed(folder):
        patterns.insert(1, (folder.parent.parent, "*/seed-*"))
    seen = {folder / "results.json"}
    with contextlib.suppress(OSError):
        for place, pattern in patterns:
            for path in sorted(place.glob(f"{pattern}/results.json")):
                if len(seen) > _MOST:
                    return
                if path not in seen:
                    seen.add(path)
                    yield path


def _kind(results: Mapping[str, Any], run: "Recorded") -> str:
    """What to call results that the run may be compared with; '' for others."""
    digests, rule = run.results.get("digests"), run.results.get("selection")
    whole = results.get("seed") is not None and not results.get("interrupted") and results.get("concluded", True) is not False
    if not (digests and whole and results.get("digests") == digests and results.get("metrics")):
        return ""
    framework = results.get("framework") or ""
    if framework and framework == results.get("prediction"):  # a baseline predicts by itself, and always validates
        return framework if (results.get("selection") == FOLDS_ONLY) == (rule == FOLDS_ONLY) else ""
    is_base = results.get("distillation") is False and run.results.get("distillation") is True
    same_rule = framework == run.results.get("framework") and results.get("selection") == rule
    return framework if is_base and same_rule else ""


def _folds(config: Mapping[str, Any]) -> list[Any]:
    """What says which rows and classes the folds hold."""
    return [(config.get("eval") or {}).get(field) for field in FOLD_FIELDS]


def _alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> int:
    """How many parts of two configurations are equal, but for what makes the difference."""
    parts = ("networks", "train", "data", "classifier", "precision", *framework_names())
    return sum(one.get(part) == other.get(part) for part in parts)
