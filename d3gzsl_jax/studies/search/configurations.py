"""From options to the configurations of a search, each with the fields it is searched by, and the runs of a trial."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ml_collections import ConfigDict

from d3gzsl_jax.config import check
from d3gzsl_jax.config.load import split
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.studies.configurations import prepared, read
from d3gzsl_jax.studies.overrides import configured
from d3gzsl_jax.studies.search.fields import Searched, searched
from d3gzsl_jax.text import folder_name

if TYPE_CHECKING:
    from d3gzsl_jax.studies.jobs import Job


class Configuration(NamedTuple):
    """One configuration, which is searched by itself.

    Attributes:
        name: for tables, and of its study.
        spec: as it was given.
        config: with its own settings, as a trial is trained: on the folds alone.
        fields: that are searched.
        left_out: fields that were given and mean nothing to it.
        digests: of the content of its data; {} before that is read.
    """

    name: str
    spec: str
    config: ConfigDict
    fields: list[Searched]
    left_out: list[str]
    digests: Mapping[str, str] = {}

    @property
    def folder(self) -> str:
        """Name of the folder of its trials."""
        return folder_name(self.name)


def configurations_of(specs: Sequence[str], fixed: Mapping[str, Any], fields: Sequence[str]) -> list[Configuration]:
    """The configurations, checked with their own settings and at the ends of every field; no data is read.

    Args:
        specs: configuration files, 'FILE.py' or 'FILE.py:variant'.
        fixed: values by dotted field, in every trial.
        fields: see `fields.searched`.

    Raises:
        UserError: something is not known, makes no sense, or is there twice.
    """
    found: list[Configuration] = []
    for spec in specs:
        file, variant = split(spec)
        name = Path(file).stem + (f":{variant}" if variant else "")
        config = _on_folds(spec, fixed)
        own, left_out = searched(fields, config)
        if also := sorted({field for one in own for field in one.fields} & fixed.keys()):
            raise UserError(f"--set {also[0]}: is searched; leave it out, or name other fields by --field")
        for one in own:
            for value in one.ends():
                _on_folds(spec, {**fixed, **one.overrides(value)})
        found.append(Configuration(name, spec, config, own, left_out))
    folders: dict[str, str] = {}
    for of in found:
        if (other := folders.get(of.folder.lower())) is not None:
            raise UserError(f"configurations {other!r} and {of.name!r} would share a folder; leave one out, or search them apart")
        folders[of.folder.lower()] = of.name
    return found


def with_data(configurations: Sequence[Configuration]) -> list[Configuration]:
    """The configurations with what they leave to be chosen by their data, and the digests of it.

    Raises:
        UserError: the data is not there, or wrong.
    """
    known = read({f"configuration {one.name!r}": one.config for one in configurations})
    return [
        one._replace(config=of.config, digests=of.digests) for one, of in zip(configurations, known.values(), strict=True)
    ]


def runs_of(
    configuration: Configuration, fixed: Mapping[str, Any], overrides: Mapping[str, Any], seeds: int, folder: Path,
    keep_compiled: bool,
) -> "tuple[Job, ...]":
    """The runs of a trial, one a seed.

    Args:
        configuration: with its data, see `with_data`.
        fixed: as of `configurations_of`.
        overrides: of the trial.
        seeds: 0 ... seeds - 1.
        folder: of the trial.
        keep_compiled: whether that is possible, see `Job`.

    Raises:
        UserError: the settings do not go together.
    """
    from d3gzsl_jax.studies import jobs  # loads JAX, which --help does not need

    config = _on_folds(configuration.spec, {**fixed, **overrides})
    ((config, digests, _),) = read({f"configuration {configuration.name!r}": config}).values()
    keep_compiled = keep_compiled and bool(config.get("compile_cache", True))
    found = []
    for seed in range(seeds):
        own = config.to_dict() | {"seed": seed}
        found.append(jobs.Job(configuration.name, seed, str(folder / f"seed-{seed}"), own, "", dict(digests), False, keep_compiled))
    return tuple(found)


def _on_folds(spec: str, overrides: Mapping[str, Any]) -> ConfigDict:
    """A configuration whose runs train on the folds alone: no test row is looked at, and nothing else is fitted."""
    config = prepared(configured(spec, overrides))
    of = config.eval
    of.selection, of.retrain, of.baselines = "validation", False, ""
    config.checkpoint.best = ""  # picked on test rows
    try:
        check.check(config)
    except UserError as error:
        raise UserError(f"{spec}: {error}") from None
    return config
