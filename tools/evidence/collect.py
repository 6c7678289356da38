"""Keeps the results of finished runs, small enough to be committed: what tools/evidence/report.py makes its tables and figure of.

    python tools/evidence/collect.py --output=docs/results FLO=OUT/flo CUB100=OUT/cub100

Of every run under the folder of a benchmark, OUTPUT/BENCHMARK/<method>/seed-<k>/results.json holds metrics, calibrated metrics,
what was chosen, details, configuration and kind of device, as `d3gzsl table` reads them; not the accuracies by class, and no path
of this machine. What is there already of the same method and seed is replaced, all else left: a new seed is a run and this command
again. A benchmark may have several folders, each named so.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs import json_files
from d3gzsl_jax.studies.tables.command import find, read
from d3gzsl_jax.system.atomic import write_text
from d3gzsl_jax.system.terminal import run_command
from tools import named_runs
from tools.evidence.comparisons import further_use

_LEFT_OUT = {"per_class", "classes", "warnings", "provenance", "accuracy", "calibration_error"}
_PATHS = (("data", "root"), ("zerodiff", "representation_run"))
"""Fields of a configuration that name a folder."""


def kept(content: Any) -> Any:
    """What of a results.json, or of a part of it, is kept."""
    if isinstance(content, Mapping):
        return {key: kept(value) for key, value in content.items() if key not in _LEFT_OUT}
    return content


def trimmed(results: Mapping[str, Any]) -> dict[str, Any]:
    """A results.json without what is left out, and without folders; 'machine' is what is kept of where it ran."""
    found: dict[str, Any] = kept(results)
    if device := (results.get("provenance") or {}).get("device"):
        about = results["provenance"]
        found["machine"] = {"device": device["kind"], "host": about.get("machine"), "jax": about["versions"].get("jax")}
    for part, field in _PATHS:
        if (config := found["config"].get(part)) and config.get(field):
            config[field] = "FOLDER"
    return found


def name_of(results: Mapping[str, Any]) -> str:
    """The folder of a method: 'wgan-d3', 'wgan-base', 'wgan-d3-ensemble', 'wgan-d3-embedding'; of a baseline its name."""
    if results["framework"] == results["prediction"]:
        return str(results["framework"])
    kind = "d3" if results["distillation"] else "base"
    return "-".join([results["framework"], kind, *further_use(results)])


def collect(parts: Sequence[tuple[Path, Path]]) -> list[list[Path]]:
    """Writes the results of all finished runs; returns the files of each part.

    Args:
        parts: folders of runs, each with the folder of its benchmark that is written to.

    Raises:
        UserError: a run is not readable, or two are of one method and seed; nothing is written.
    """
    contents: dict[Path, str] = {}
    files = []
    for runs, output in parts:
        found = _contents(runs, output)
        if again := next((target for target in found if target in contents), None):
            of = f"{again.parent.parent.name}, {again.parent.name}"
            raise UserError(f"{runs}: has runs of {of}, as another folder has; leave one out")
        contents |= found
        files.append(list(found))
    for target, content in contents.items():
        write_text(target, content, parents=True)
    return files


def _contents(runs: Path, output: Path) -> dict[Path, str]:
    """What is to be written of every finished run under `runs`, by file.

    Raises:
        UserError: a run is not readable, or two are of one method and seed.
    """
    found: dict[Path, Path] = {}
    contents: dict[Path, str] = {}
    for path in find([runs]):
        if isinstance(why := read(path), str):
            print(f"collect.py: {path}: left out: {why}", file=sys.stderr)
            continue
        results = json_files.read(path) or {}
        target = output / name_of(results) / f"seed-{results['seed']}" / "results.json"
        if target in found:
            raise UserError(f"{found[target]} and {path} are the same method with the same seed; leave one out")
        found[target] = path
        contents[target] = json.dumps(trimmed(results), sort_keys=True) + "\n"
    return contents


def main() -> None:
    """The command line."""
    given = named_runs.read(__doc__ or "", "FOLDER")
    files = collect([(folder, given.output / name) for name, folder in given.runs])
    for (name, _), written in zip(given.runs, files, strict=True):
        print(f"{name}: {len(written)} runs")


if __name__ == "__main__":
    sys.exit(run_command(main))
