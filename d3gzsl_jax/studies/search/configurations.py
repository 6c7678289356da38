"""From options to the configurations of a search, each with the fields it is searched by, and the runs of a trial."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ml_collections import ConfigDict

from d3gzsl_jax.config import check
from d3gzsl_jax.config.load import flat, split
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.studies.configurations import data_key, known, prepared
from d3gzsl_jax.studies.overrides import configured, with_fields
from d3gzsl_jax.studies.search.fields import Searched, searched
from d3gzsl_jax.text import folder_name

if TYPE_CHECKING:
    from d3gzsl_jax.data.benchmark import GZSLData
    from d3gzsl_jax.studies.jobs import Job

_ON_FOLDS: Mapping[str, Any] = {
    "eval.selection": "validation", "eval.retrain": False, "eval.baselines": "", "checkpoint.best": "", "log.report": False,
}  # fmt: skip
"""What every trial has: no test row is looked at, and nothing else is fitted."""


class DataError(UserError):
    """The data of a search cannot be read, or is not what it was: no trial could be done."""


class Configuration(NamedTuple):
    """One configuration, which is searched by itself.

    Attributes:
        name: for tables, and of its study.
        spec: as it was given.
        start: as it was read, with what every trial has: what trials begin from.
        config: `start`, with what it leaves to be chosen by its data once that is read.
        fields: that are searched.
        left_out: fields that were given and mean nothing to it.
        further: fields of the run with the best settings, which looks at the test rows, besides those of all trials.
        digests: of the content of its data; {} before that is read.
    """

    name: str
    spec: str
    start: ConfigDict
    config: ConfigDict
    fields: list[Searched]
    left_out: list[str]
    further: Mapping[str, Any]
    digests: Mapping[str, str] = {}

    @property
    def folder(self) -> str:
        """Name of the folder of its trials."""
        return folder_name(self.name)


class Data:
    """The data of a search, each read once, whatever becomes of its files while trials are done."""

    def __init__(self) -> None:
        self._read: dict[str, GZSLData] = {}

    def of(self, config: ConfigDict) -> "GZSLData":
        """That of a configuration.

        Raises:
            DataError: it is not there, or wrong.
        """
        from d3gzsl_jax.data.load import load  # loads JAX, which --help does not need

        key = data_key(config)
        if key not in self._read:
            try:
                self._read[key] = load(config.dataset, config.data)
            except UserError as error:
                raise DataError(str(error)) from None
        return self._read[key]


def configurations_of(specs: Sequence[str], fixed: Mapping[str, Any], fields: Sequence[str]) -> list[Configuration]:
    """The configurations, checked with their own settings and at the ends of every field; no data is read.

    Args:
        specs: configuration files, 'FILE.py' or 'FILE.py:variant'.
        fixed: values by dotted field, in every trial.
        fields: see `fields.searched`.

    Raises:
        UserError: something is not known, makes no sense, or is there twice; or a trial would not have what is set.
    """
    found: list[Configuration] = []
    for spec in specs:
        file, variant = split(spec)
        name = Path(file).stem + (f":{variant}" if variant else "")
        given = configured(spec, fixed)
        values = dict(flat(given))
        for field in fixed.keys() & _ON_FOLDS.keys():
            if values[field] != _ON_FOLDS[field]:
                raise UserError(
                    f"--set {field}={fixed[field]}: every trial is trained on folds alone, with {field}={_ON_FOLDS[field]!r}; "
                    "leave it out, and give it to the run with the best settings"
                )
        further: dict[str, Any] = {"eval.selection": "validation", "eval.retrain": True}
        further |= {"checkpoint.best": ""} if given.checkpoint.best else {}  # validation refuses what is picked on test rows
        _checked(spec, given, further)
        start = _checked(spec, prepared(given), _ON_FOLDS)
        own, left_out = searched(fields, start)
        if also := sorted({field for one in own for field in one.fields} & fixed.keys()):
            raise UserError(f"--set {also[0]}: is searched; leave it out, or name other fields by --field")
        for one in own:
            for value in one.ends():
                _checked(spec, start, one.overrides(value))
        found.append(Configuration(name, spec, start, start, own, left_out, further))
    folders: dict[str, str] = {}
    for of in found:
        if (other := folders.get(of.folder.lower())) is not None:
            raise UserError(f"configurations {other!r} and {of.name!r} would share a folder; leave one out, or search them apart")
        folders[of.folder.lower()] = of.name
    return found


def with_data(configurations: Sequence[Configuration], data: Data) -> list[Configuration]:
    """The configurations with what they leave to be chosen by their data, and the digests of it.

    Raises:
        UserError: the data is not there, or wrong.
    """
    found = []
    for one in configurations:
        try:
            of = known(one.start, data.of(one.start))
        except UserError as error:
            raise UserError(f"configuration {one.name!r}: {error}") from None
        found.append(one._replace(config=of.config, digests=of.digests))
    return found


def runs_of(
    configuration: Configuration, data: Data, overrides: Mapping[str, Any], seeds: int, folder: Path, keep_compiled: bool
) -> "tuple[Job, ...]":
    """The runs of a trial, one a seed.

    Args:
        configuration: with its data, see `with_data`.
        data: of the search.
        overrides: of the trial.
        seeds: 0 ... seeds - 1.
        folder: of the trial.
        keep_compiled: whether that is possible, see `Job`.

    Raises:
        DataError: data that these settings need cannot be read, or has changed. UserError: the settings do not go together.
    """
    from d3gzsl_jax.studies import jobs  # loads JAX, which --help does not need

    config = _checked(configuration.spec, configuration.start, overrides)
    rows = data.of(config)
    config, digests, _ = known(config, rows)
    # Semantics may be others, as a trial may bring them to length 1.
    if any(digests.get(part) != digest for part, digest in configuration.digests.items() if part != "semantics"):
        raise DataError(
            f"configuration {configuration.name!r}: what is under config.data.root has changed while it was searched; put that "
            "back, or name another --output"
        )
    keep_compiled = keep_compiled and bool(config.get("compile_cache", True))
    found = []
    for seed in range(seeds):
        own = config.to_dict() | {"seed": seed}
        found.append(jobs.Job(configuration.name, seed, str(folder / f"seed-{seed}"), own, "", dict(digests), False, keep_compiled))
    return tuple(found)


def _checked(spec: str, config: ConfigDict, overrides: Mapping[str, Any]) -> ConfigDict:
    """A copy of a configuration with these fields set.

    Raises:
        UserError: they do not go together.
    """
    found = with_fields(config, overrides)
    try:
        check.check(found)
    except UserError as error:
        raise UserError(f"{spec}: {error}") from None
    return found
